//! An ESP32-C3: the temperature of its chip goes to AWS IoT Core, a light at GPIO 7 obeys.
//!
//! `shared` says what the environment of the build must tell.
#![no_std]
#![no_main]

#[cfg(feature = "mbedtls")]
mod noise;

use embassy_executor::Spawner;
use embassy_net::{Config, DhcpConfig, Stack, StackResources};
use embassy_time::{Duration, Timer};
use esp_hal::{
    clock::CpuClock,
    gpio::{Level, Output, OutputConfig},
    peripherals::WIFI,
    rng::Rng,
    timer::timg::TimerGroup,
    tsens::{self, TemperatureSensor},
};
use esp_radio::wifi::{
    AuthenticationMethodConfig, ControllerConfig, Interface, WifiController, WifiError,
    sta::StationConfig,
};
use panic_halt as _;
use shared::{Command, Device, Memory, PASSPHRASE, SOCKETS_MAX, SSID};
use static_cell::ConstStaticCell;

esp_bootloader_esp_idf::esp_app_desc!();

/// What the radio's driver allocates from, in bytes: as a station it takes up to 57 KB.
const RADIO_HEAP_LEN: usize = 72 * 1024;

/// What Mbed TLS allocates from, in bytes: a connection takes 57 KB.
const TLS_HEAP_LEN: usize = if cfg!(feature = "mbedtls") { 64 * 1024 } else { 0 };

const HEAP_LEN: usize = RADIO_HEAP_LEN + TLS_HEAP_LEN;

/// How long to wait before the network is tried again.
const REJOIN: Duration = Duration::from_secs(5);

static MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory::new());

/// A light, and the sensor in the chip.
struct Board<'d> {
    light: Output<'d>,
    sensor: TemperatureSensor<'d>,
}

impl Device for Board<'_> {
    /// Thousandths of a degree Celsius.
    fn measure(&mut self) -> i32 {
        let measured = self.sensor.get_temperature();
        // The formula of the driver, without floating point.
        (i32::from(measured.raw_value) * 4_386 - i32::from(measured.offset) * 278_800 - 205_200)
            / 10
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::LightOn => self.light.set_high(),
            Command::LightOff => self.light.set_low(),
        }
    }
}

#[embassy_executor::task]
async fn run_network(mut runner: embassy_net::Runner<'static, Interface>) -> ! {
    runner.run().await
}

/// Joins the network, again whenever it is lost.
#[embassy_executor::task]
async fn stay_joined(mut wifi: WifiController<'static>) -> ! {
    loop {
        if wifi.connect_async().await.is_ok() {
            let _lost = wifi.wait_for_disconnect_async().await;
        }
        Timer::after(REJOIN).await;
    }
}

#[esp_rtos::main]
async fn main(spawner: Spawner) {
    let config = esp_hal::Config::default().with_cpu_clock(CpuClock::max());
    let p = esp_hal::init(config);
    esp_alloc::heap_allocator!(size: HEAP_LEN);
    esp_rtos::start(TimerGroup::new(p.TIMG0).timer0, p.FROM_CPU_INTR0);
    // From here on, the radio's noise is what its numbers are made of: they are fit for keys.
    let Ok(wifi) = start_radio(p.WIFI) else { return };
    let rng = Rng::new();
    let Some(stack) = network(spawner, wifi, rng) else { return };
    let Ok(sensor) = TemperatureSensor::new(p.TSENS, tsens::Config::default()) else { return };
    sensor.power_up();
    let light = Output::new(p.GPIO7, Level::Low, OutputConfig::default());
    let mut board = Board { light, sensor };
    #[cfg(feature = "mbedtls")]
    let Some(tls) = noise::start_tls(rng) else { return };
    // With a probe, this is where to look why it has ended.
    let _end = shared::run(
        stack,
        MEMORY.take(),
        |bytes| rng.read(bytes),
        #[cfg(feature = "mbedtls")]
        &tls,
        &mut board,
    )
    .await;
}

fn start_radio(radio: WIFI<'static>) -> Result<WifiController<'static>, WifiError> {
    let station = StationConfig::default()
        .with_ssid(SSID.try_into()?)
        .with_authentication(AuthenticationMethodConfig::Wpa2Personal(PASSPHRASE.try_into()?));
    let mut wifi = WifiController::new(radio, ControllerConfig::default())?;
    wifi.set_config(&esp_radio::wifi::Config::Station(station))?;
    Ok(wifi)
}

/// An address by DHCP; `None` if the tasks have been spawned before.
fn network(spawner: Spawner, wifi: WifiController<'static>, rng: Rng) -> Option<Stack<'static>> {
    static RESOURCES: ConstStaticCell<StackResources<SOCKETS_MAX>> =
        ConstStaticCell::new(StackResources::new());
    let mut seed = [0; 8];
    rng.read(&mut seed);
    let config = Config::dhcpv4(DhcpConfig::default());
    let seed = u64::from_le_bytes(seed);
    let card = Interface::try_station()?;
    let (stack, runner) = embassy_net::new(card, config, RESOURCES.take(), seed);
    spawner.spawn(run_network(runner).ok()?);
    spawner.spawn(stay_joined(wifi).ok()?);
    Some(stack)
}

//! A Raspberry Pi Pico W: the temperature of its chip goes to AWS IoT Core, its light obeys.
//!
//! `shared` says what the environment of the build must tell; `DUNLIN_CYW43` is the folder with the
//! firmware of the Wi-Fi chip.
#![no_std]
#![no_main]

mod entropy;
mod wifi;

use cyw43::Control;
use embassy_executor::Spawner;
use embassy_rp::adc::{self, Adc, Blocking, Channel};
use panic_halt as _;
// Exchanges of memory by way of a critical section.
use portable_atomic as _;
use shared::{Command, Device, Memory};
use static_cell::ConstStaticCell;
use wifi::Chip;

/// The pin of the Wi-Fi chip that the light is connected with.
const LIGHT: u8 = 0;

static MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory::new());

/// The light behind the Wi-Fi chip, and the sensor in the RP2040.
struct Board {
    control: Control<'static>,
    adc: Adc<'static, Blocking>,
    sensor: Channel<'static>,
}

impl Device for Board {
    /// Thousandths of a degree Celsius ("RP2040 Datasheet", §4.9.5); the least there is if the converter
    /// fails.
    fn measure(&mut self) -> i32 {
        let Ok(raw) = self.adc.blocking_read(&mut self.sensor) else { return i32::MIN };
        // 3.3 V are 4,096 steps; 0.706 V are 27 °C, and each further degree is 1.721 mV less.
        let microvolts = i32::from(raw) * 3_300_000 / 4_096;
        27_000 - (microvolts - 706_000) * 1_000 / 1_721
    }

    async fn obey(&mut self, command: Command) {
        self.control.gpio_set(LIGHT, matches!(command, Command::LightOn)).await;
    }
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let p = embassy_rp::init(embassy_rp::config::Config::default());
    let chip = Chip {
        power: p.PIN_23,
        data: p.PIN_24,
        select: p.PIN_25,
        clock: p.PIN_29,
        pio: p.PIO0,
        dma: p.DMA_CH0,
    };
    let Some((stack, control)) = wifi::start(spawner, chip).await else { return };
    let mut board = Board {
        control,
        adc: Adc::new_blocking(p.ADC, adc::Config::default()),
        sensor: Channel::new_temp_sensor(p.ADC_TEMP_SENSOR),
    };
    // With a probe, this is where to look why it has ended.
    let _end = shared::run(stack, MEMORY.take(), entropy::fill, &mut board).await;
}

//! A NUCLEO-H743ZI on a cable: readings of its pin A0 go to AWS IoT Core, its green light obeys.
//!
//! `shared` says what the environment of the build must tell.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_net::{Config, Stack, StackResources};
use embassy_stm32::{
    Peri,
    adc::{Adc, SampleTime},
    bind_interrupts,
    eth::{self, Ethernet, GenericPhy, PacketQueue, Sma},
    gpio::{Level, Output, Speed},
    peripherals::{ADC1, ETH, ETH_SMA, PA3, RNG},
    rng::{self, Rng},
};
use panic_halt as _;
use shared::{Command, Device, Memory, SOCKETS_MAX};
use static_cell::{ConstStaticCell, StaticCell};

bind_interrupts!(struct Irqs {
    ETH => eth::InterruptHandler;
    RNG => rng::InterruptHandler<RNG>;
});

type Card = Ethernet<'static, ETH, GenericPhy<Sma<'static, ETH_SMA>>>;

/// Of nobody else, as long as the second lowest bit is set: give each board another one.
const MAC_ADDRESS: [u8; 6] = [0x02, 0, 0, 0, 0, 1];

static MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory::new());

/// The green light, and the pin that is read.
struct Board {
    light: Output<'static>,
    adc: Adc<'static, ADC1>,
    pin: Peri<'static, PA3>,
}

impl Device for Board {
    /// 16 bits for 0 to 3.3 V.
    fn measure(&mut self) -> i32 {
        i32::from(self.adc.blocking_read(&mut self.pin, SampleTime::CYCLES64_5))
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::LightOn => self.light.set_high(),
            Command::LightOff => self.light.set_low(),
        }
    }
}

#[embassy_executor::task]
async fn run_network(mut runner: embassy_net::Runner<'static, Card>) -> ! {
    runner.run().await
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    static QUEUE: StaticCell<PacketQueue<4, 4>> = StaticCell::new();
    let p = embassy_stm32::init(clocks());
    let mut rng = Rng::new(p.RNG, Irqs);
    let queue = QUEUE.init(PacketQueue::new());
    let card = Ethernet::new(
        queue,
        p.ETH,
        Irqs,
        p.PA1,
        p.PA7,
        p.PC4,
        p.PC5,
        p.PG13,
        p.PB13,
        p.PG11,
        MAC_ADDRESS,
        p.ETH_SMA,
        p.PA2,
        p.PC1,
    );
    let Some(stack) = network(spawner, card, rng.next_u64()) else { return };
    let mut board = Board {
        light: Output::new(p.PB0, Level::Low, Speed::Low),
        adc: Adc::new(p.ADC1),
        pin: p.PA3,
    };
    // With a probe, this is where to look why it has ended.
    let _end = shared::run(stack, MEMORY.take(), |bytes| rng.fill_bytes(bytes), &mut board).await;
}

/// An address by DHCP; `None` if the task has been spawned before.
fn network(spawner: Spawner, card: Card, seed: u64) -> Option<Stack<'static>> {
    static RESOURCES: StaticCell<StackResources<SOCKETS_MAX>> = StaticCell::new();
    let resources = RESOURCES.init(StackResources::new());
    let config = Config::dhcpv4(embassy_net::DhcpConfig::default());
    let (stack, runner) = embassy_net::new(card, config, resources, seed);
    spawner.spawn(run_network(runner).ok()?);
    Some(stack)
}

/// 400 MHz from the internal oscillator of 64 MHz; the ADC has 100 MHz, and randomness 48 MHz.
fn clocks() -> embassy_stm32::Config {
    use embassy_stm32::rcc::{
        AHBPrescaler, APBPrescaler, HSIPrescaler, Hsi48Config, Pll, PllDiv, PllMul, PllPreDiv,
        PllSource, Sysclk, VoltageScale, mux::Adcsel,
    };
    let mut config = embassy_stm32::Config::default();
    let rcc = &mut config.rcc;
    rcc.hsi = Some(HSIPrescaler::DIV1);
    rcc.hsi48 = Some(Hsi48Config::default());
    let pll = Pll {
        source: PllSource::HSI,
        prediv: PllPreDiv::DIV4,
        mul: PllMul::MUL50,
        fracn: None,
        divp: None,
        divq: None,
        divr: None,
    };
    rcc.pll1 = Some(Pll { divp: Some(PllDiv::DIV2), ..pll });
    rcc.pll2 = Some(Pll { divp: Some(PllDiv::DIV8), ..pll });
    rcc.sys = Sysclk::PLL1_P;
    rcc.ahb_pre = AHBPrescaler::DIV2;
    rcc.apb1_pre = APBPrescaler::DIV2;
    rcc.apb2_pre = APBPrescaler::DIV2;
    rcc.apb3_pre = APBPrescaler::DIV2;
    rcc.apb4_pre = APBPrescaler::DIV2;
    rcc.voltage_scale = VoltageScale::Scale1;
    rcc.mux.adcsel = Adcsel::PLL2_P;
    config
}

//! The Wi-Fi chip, and the network behind it.

use crate::entropy;
use cyw43::{A4, Aligned, Control, JoinOptions, NetDriver, SpiBus};
use cyw43_pio::{DEFAULT_CLOCK_DIVIDER, PioSpi};
use embassy_executor::Spawner;
use embassy_net::{Config, DhcpConfig, Stack, StackResources};
use embassy_rp::{
    Peri, bind_interrupts, dma,
    gpio::{Level, Output},
    peripherals::{DMA_CH0, PIN_23, PIN_24, PIN_25, PIN_29, PIO0},
    pio::{self, Pio},
};
use embassy_time::{Duration, Timer};
use shared::{PASSPHRASE, SOCKETS_MAX, SSID};
use static_cell::{ConstStaticCell, StaticCell};

bind_interrupts!(struct Irqs {
    DMA_IRQ_0 => dma::InterruptHandler<DMA_CH0>;
    PIO0_IRQ_0 => pio::InterruptHandler<PIO0>;
});

type Bus = SpiBus<Output<'static>, PioSpi<'static, PIO0, 0>>;

static FIRMWARE: &Aligned<A4, [u8]> =
    &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/43439A0.bin")));
static NVRAM: &Aligned<A4, [u8]> =
    &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/nvram_rp2040.bin")));
static COUNTRIES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/43439A0_clm.bin"));

/// How long to wait before the network is tried again.
const REJOIN: Duration = Duration::from_secs(5);

/// What the chip is connected with.
pub(crate) struct Chip {
    pub(crate) power: Peri<'static, PIN_23>,
    pub(crate) data: Peri<'static, PIN_24>,
    pub(crate) select: Peri<'static, PIN_25>,
    pub(crate) clock: Peri<'static, PIN_29>,
    pub(crate) pio: Peri<'static, PIO0>,
    pub(crate) dma: Peri<'static, DMA_CH0>,
}

#[embassy_executor::task]
async fn run_chip(runner: cyw43::Runner<'static, Bus>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn run_network(mut runner: embassy_net::Runner<'static, NetDriver<'static>>) -> ! {
    runner.run().await
}

/// Joins the network, however long that takes; `None` if the tasks have been spawned before.
pub(crate) async fn start(
    spawner: Spawner,
    chip: Chip,
) -> Option<(Stack<'static>, Control<'static>)> {
    static STATE: StaticCell<cyw43::State> = StaticCell::new();
    static RESOURCES: ConstStaticCell<StackResources<SOCKETS_MAX>> =
        ConstStaticCell::new(StackResources::new());
    let Chip { power, data, select, clock, pio, dma } = chip;
    let power = Output::new(power, Level::Low);
    let select = Output::new(select, Level::High);
    let Pio { mut common, sm0, irq0, .. } = Pio::new(pio, Irqs);
    let dma = dma::Channel::new(dma, Irqs);
    let divider = DEFAULT_CLOCK_DIVIDER;
    let bus = PioSpi::new(&mut common, sm0, divider, irq0, select, data, clock, dma);
    let state = STATE.init(cyw43::State::new());
    let (card, mut control, runner) = cyw43::new(state, power, bus, FIRMWARE, NVRAM).await;
    spawner.spawn(run_chip(runner).ok()?);
    control.init(COUNTRIES).await;
    let mut seed = [0; 8];
    entropy::fill(&mut seed);
    let config = Config::dhcpv4(DhcpConfig::default());
    let seed = u64::from_le_bytes(seed);
    let (stack, runner) = embassy_net::new(card, config, RESOURCES.take(), seed);
    spawner.spawn(run_network(runner).ok()?);
    while control.join(SSID, JoinOptions::new(PASSPHRASE.as_bytes())).await.is_err() {
        Timer::after(REJOIN).await;
    }
    Some((stack, control))
}

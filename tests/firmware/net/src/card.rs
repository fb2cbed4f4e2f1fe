//! The board's network card, an SMSC LAN9118, for embassy-net.

use core::task::Context;
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState};
use embassy_sync::{blocking_mutex::raw::CriticalSectionRawMutex, waitqueue::GenericAtomicWaker};

const BASE: usize = 0x4020_0000;
const RX_DATA: usize = 0x00;
const TX_DATA: usize = 0x20;
const RX_STATUS: usize = 0x40;
const TX_STATUS: usize = 0x48;
const IRQ_CFG: usize = 0x54;
const INT_STS: usize = 0x58;
const INT_EN: usize = 0x5c;
const BYTE_TEST: usize = 0x64;
const FIFO_INT: usize = 0x68;
const TX_CFG: usize = 0x70;
const HW_CFG: usize = 0x74;
const RX_FIFO_INF: usize = 0x7c;
const TX_FIFO_INF: usize = 0x80;
const MAC_CSR_CMD: usize = 0xa4;
const MAC_CSR_DATA: usize = 0xa8;

const MAC_CR: u32 = 1;
const MAC_ADDRESS_HIGH: u32 = 2;
const MAC_ADDRESS_LOW: u32 = 3;

/// A frame has come.
const RECEIVED: u32 = 1 << 3;
/// Full duplex, transmitter and receiver on.
const MAC_ON: u32 = 1 << 20 | 1 << 3 | 1 << 2;
/// Longest frame, without its check sequence.
const FRAME_MAX: usize = 1514;
const CHECK_LEN: usize = 4;

/// The card's interrupt.
#[derive(Clone, Copy)]
struct Line;

// SAFETY: the manual of the board gives this number.
unsafe impl cortex_m::interrupt::InterruptNumber for Line {
    fn number(self) -> u16 {
        13
    }
}

static WAKER: GenericAtomicWaker<CriticalSectionRawMutex> =
    GenericAtomicWaker::new(CriticalSectionRawMutex::new());

fn read(register: usize) -> u32 {
    // SAFETY: the card's registers are there, and are read whole.
    unsafe { core::ptr::read_volatile((BASE + register) as *const u32) }
}

fn write(register: usize, value: u32) {
    // SAFETY: as above.
    unsafe { core::ptr::write_volatile((BASE + register) as *mut u32, value) };
}

fn write_mac(register: u32, value: u32) {
    const BUSY: u32 = 1 << 31;
    write(MAC_CSR_DATA, value);
    write(MAC_CSR_CMD, BUSY | register);
    while read(MAC_CSR_CMD) & BUSY != 0 {}
}

/// The card, and memory for one frame in each direction.
pub struct Card {
    address: [u8; 6],
    received: [u8; FRAME_MAX + CHECK_LEN],
    sent: [u8; FRAME_MAX],
}

impl Card {
    /// Switches the card on; `None` if there is none.
    pub fn start(address: [u8; 6]) -> Option<Self> {
        if read(BYTE_TEST) != 0x8765_4321 {
            return None;
        }
        write(HW_CFG, 1);
        while read(HW_CFG) & 1 != 0 {}
        write(HW_CFG, 1 << 20 | 5 << 16);
        let [a, b, c, d, e, f] = address;
        write_mac(MAC_ADDRESS_LOW, u32::from_le_bytes([a, b, c, d]));
        write_mac(MAC_ADDRESS_HIGH, u32::from_le_bytes([e, f, 0, 0]));
        write_mac(MAC_CR, MAC_ON);
        write(FIFO_INT, 0x48 << 24);
        // Push-pull and enabled, or the line storms.
        write(IRQ_CFG, 0x111);
        write(TX_CFG, 2);
        write(INT_STS, u32::MAX);
        write(INT_EN, RECEIVED);
        // SAFETY: the handler only touches this card and its waker.
        unsafe { cortex_m::peripheral::NVIC::unmask(Line) };
        Some(Self { address, received: [0; FRAME_MAX + CHECK_LEN], sent: [0; FRAME_MAX] })
    }

    fn frames() -> u32 {
        read(RX_FIFO_INF) >> 16 & 0xff
    }

    /// The next whole frame, without its check sequence.
    fn take(&mut self) -> Option<usize> {
        const ERROR: u32 = 1 << 15;
        while Self::frames() > 0 {
            let status = read(RX_STATUS);
            let len = (status >> 16 & 0x3fff) as usize;
            for at in (0..len).step_by(4) {
                let word = read(RX_DATA).to_le_bytes();
                for (to, from) in self.received.iter_mut().skip(at).zip(word) {
                    *to = from;
                }
            }
            if status & ERROR == 0 && (CHECK_LEN..=self.received.len()).contains(&len) {
                return Some(len - CHECK_LEN);
            }
        }
        None
    }

    fn has_room() -> bool {
        while read(TX_FIFO_INF) >> 16 & 0xff != 0 {
            read(TX_STATUS);
        }
        read(TX_FIFO_INF) as u16 as usize > FRAME_MAX + 12
    }
}

#[cortex_m_rt::exception]
unsafe fn DefaultHandler(_number: i16) {
    // Until the stack has come for it.
    write(INT_EN, 0);
    write(INT_STS, RECEIVED);
    WAKER.wake();
}

impl Driver for Card {
    type RxToken<'a> = RxToken<'a>;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(RxToken<'_>, TxToken<'_>)> {
        WAKER.register(cx.waker());
        write(INT_STS, RECEIVED);
        write(INT_EN, RECEIVED);
        let len = self.take()?;
        Some((RxToken(&mut self.received[..len]), TxToken(&mut self.sent)))
    }

    fn transmit(&mut self, cx: &mut Context<'_>) -> Option<TxToken<'_>> {
        if Self::has_room() {
            return Some(TxToken(&mut self.sent));
        }
        cx.waker().wake_by_ref();
        None
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = FRAME_MAX;
        capabilities.max_burst_size = Some(1);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.address)
    }
}

/// A frame that has come.
pub struct RxToken<'a>(&'a mut [u8]);

impl embassy_net_driver::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// Room for a frame to send.
pub struct TxToken<'a>(&'a mut [u8; FRAME_MAX]);

impl embassy_net_driver::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let frame = &mut self.0[..len];
        let result = f(frame);
        // First and last piece at once.
        write(TX_DATA, 1 << 13 | 1 << 12 | len as u32);
        write(TX_DATA, len as u32);
        for bytes in frame.chunks(4) {
            let mut word = [0; 4];
            word[..bytes.len()].copy_from_slice(bytes);
            write(TX_DATA, u32::from_le_bytes(word));
        }
        result
    }
}

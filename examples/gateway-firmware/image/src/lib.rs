//! The board: UARTs, a timer and the direction pin of the mps2-an386, as QEMU has it, behind the traits that the drivers of
//! `meter-protocol` take. Everything above this module is the same on any microcontroller.
#![no_std]

pub mod board;
#[cfg(feature = "seal")]
pub mod execute;
#[cfg(feature = "seal")]
pub mod journal;
pub mod memory;
#[cfg(feature = "seal")]
pub mod outbox;
pub mod provision;
pub mod station;
pub mod text;
#[cfg(feature = "seal")]
pub mod uplink;

/// A panic would end here, in a function that nobody defined: an image that links has no path to it.
#[cfg(not(feature = "may-panic"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        #[link_name = "this image can panic"]
        safe fn this_image_can_panic() -> !;
    }
    this_image_can_panic()
}

/// Where panics are not excluded the image stops.
#[cfg(feature = "may-panic")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

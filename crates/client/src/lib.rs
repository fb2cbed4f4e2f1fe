//! .
#![no_std]

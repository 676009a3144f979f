//! What the whole-system tests share: a sample of their own, made by a small generator, with the
//! results an independent fold expects. Nothing here uses the project's code, so that an error in
//! its arithmetic or its times cannot hide on both sides.

pub mod expect;
pub mod proxy;
pub mod sample;

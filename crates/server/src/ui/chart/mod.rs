//! Pictures, as SVG in the page. Everything in them is a number of ours; what they say is said in words as well.

mod histogram;
mod meter;
mod share;
mod sparkline;

pub(super) use histogram::Histogram;
pub(super) use meter::Meter;
pub(super) use share::Share;
pub(super) use sparkline::Sparkline;

#[cfg(test)]
mod tests;

//! verifier
/// x
#[derive(Debug)]
pub struct Verifier;
/// x
#[derive(Debug)]
pub struct SchemeError;

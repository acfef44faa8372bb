//! What is in force: looked up for each request or connection, replaced in one step.

use std::sync::{Arc, PoisonError, RwLock};

/// A value that can be replaced while it is used: whoever took it before goes on with what he took.
#[derive(Debug)]
pub(crate) struct Current<T>(RwLock<Arc<T>>);

impl<T> Current<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(RwLock::new(Arc::new(value)))
    }

    /// The value of now. The lock is held for as long as it takes to count up.
    pub(crate) fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another value from now on.
    pub(crate) fn set(&self, value: T) {
        let former = {
            let mut place = self.0.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *place, Arc::new(value))
        };
        // What goes with it may take its time, and nobody waits for that.
        drop(former);
    }
}

//! What is told of a request by what is configured here, and not by its record.

use std::sync::Arc;

use crate::geo::{Geo, Place};
use crate::model::Request;
use crate::noise::Noise;

/// Marks requests on their way into the store.
#[derive(Default)]
pub struct Marks {
    /// Where addresses are.
    pub geo: Geo,
    /// What readers usually do not want to see.
    pub noise: Arc<Noise>,
}

impl Marks {
    pub(super) fn mark(&mut self, request: &mut Request) {
        let Place { country, network } = self.geo.place(&request.ip);
        (request.country, request.network) = (country, network);
        request.noise = self.noise.is_noise(&request.method, &request.path, request.status);
    }
}

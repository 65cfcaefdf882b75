//! `ip_in(ip, network)`, which the engine does not bring along: the same comparison as outside of it.

use std::error::Error;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::DataType;
use duckdb::Connection;
use duckdb::vscalar::{ArrowFunctionSignature, VArrowScalar};

use crate::filter::Network;

/// Makes `ip_in` known to an engine.
pub(super) fn register(connection: &Connection) -> duckdb::Result<()> {
    connection.register_scalar_function::<IpIn>("ip_in")
}

struct IpIn;

impl VArrowScalar for IpIn {
    type State = ();

    fn invoke(_: &(), input: RecordBatch) -> Result<Arc<dyn Array>, Box<dyn Error>> {
        let [ips, networks] = input.columns() else { return Err("ip_in takes two texts".into()) };
        let (Some(ips), Some(networks)) = (ips.as_string_opt::<i32>(), networks.as_string_opt::<i32>()) else {
            return Err("ip_in takes two texts".into());
        };
        // All rows of a query ask for one network.
        let mut last: Option<(&str, Option<Network>)> = None;
        let holds = ips.iter().zip(networks.iter()).map(|(ip, text)| {
            let (ip, text) = (ip?, text?);
            let network = match last {
                Some((before, network)) if before == text => network,
                _ => text.parse().ok(),
            };
            last = Some((text, network));
            Some(network?.holds(ip))
        });
        Ok(Arc::new(holds.collect::<BooleanArray>()))
    }

    fn signatures() -> Vec<ArrowFunctionSignature> {
        vec![ArrowFunctionSignature::exact(vec![DataType::Utf8, DataType::Utf8], DataType::Boolean)]
    }
}

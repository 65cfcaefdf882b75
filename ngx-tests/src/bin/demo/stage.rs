//! Everything that runs in a demo, set up and taken down in order.

use ngx_tests::collector::Collector;
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::relay::{Manner, Relay};
use ngx_tests::rest::Rest;
use ngx_tests::shop::Shop;

use crate::{Failure, Tamper};

/// The running demo.
pub(crate) struct Stage {
    nginx: Nginx,
    relay: Option<Relay>,
    collector: Collector,
    shop: Shop,
    rest: Rest,
}

impl Stage {
    /// Starts everything; returns when all of it answers.
    pub(crate) async fn set(tamper: Option<Tamper>) -> Result<Self, Failure> {
        let shop = Shop::open().await?;
        let collector = Collector::start().await?;
        let relay = match tamper {
            Some(Tamper::DropOne) => Some(Relay::start(&collector.ingest(), Manner::DropsOne)?),
            _ => None,
        };
        let runtime = relay.as_ref().map_or_else(|| collector.runtime(), |relay| relay.runtime().to_owned());
        let mut config = Config::file("demo.conf")?.runtime(&runtime).shop(shop.address())?;
        if tamper == Some(Tamper::Namespace) {
            config = config.replace("request.cookie.sid name=token", "request.cookie.sid name=token group=other")?;
        }
        let nginx = Nginx::start(&config)?;
        let rest = collector.rest()?;
        Ok(Self { nginx, relay, collector, shop, rest })
    }

    /// Says where everything is.
    pub(crate) fn announce(&self) {
        let api = self.collector.address();
        eprintln!("shop behind NGINX   {}/api/products", self.nginx.url());
        eprintln!("counters of NGINX   {}/wallarm-status", self.nginx.url());
        eprintln!("web console         http://{api}/");
        eprintln!("sessions (REST)     http://{api}/api/v1/sessions");
        eprintln!("collector's folder  {}", self.collector.data().display());
        let socket = self.collector.runtime().join("api.sock");
        eprintln!("commands            build/bin/api-sessions sessions --socket {}", socket.display());
    }

    /// Where clients find the shop.
    pub(crate) fn url(&self) -> String {
        self.nginx.url()
    }

    /// Who knows the sessions.
    pub(crate) fn rest(&self) -> &Rest {
        &self.rest
    }

    /// Stops everything, from the front to the back, so that what was captured still arrives.
    pub(crate) fn strike(self) -> Result<(), Failure> {
        let Self { nginx, relay, mut collector, shop, rest: _ } = self;
        let stopped = nginx.stop();
        drop(relay);
        collector.stop()?;
        drop(shop);
        stopped?;
        Ok(())
    }
}

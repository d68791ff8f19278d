//! The files that every hub serves: the browser package, so that a page needs no bundler; and a demo hub's page.
//!
//! They are what `client/` was built to, committed, and compared with what it builds to by `scripts/test`.

use std::sync::Arc;

use bytes::Bytes;
use corecast_core::http::Asset;

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The classic script and the module, what both load where there is no worker, and the worker.
const CLIENT: [(&str, &[u8]); 4] = [
    ("/client.js", include_bytes!("../assets/client/client.js")),
    ("/client.mjs", include_bytes!("../assets/client/client.mjs")),
    ("/client-host.mjs", include_bytes!("../assets/client/client-host.mjs")),
    ("/client-worker.js", include_bytes!("../assets/client/client-worker.js")),
];

/// `page` is what `/` shows, if anything, with a token in it.
pub(crate) fn assets(page: Option<String>) -> Arc<[Asset]> {
    let client =
        CLIENT.into_iter().map(|(path, bytes)| Asset::public(path, SCRIPT, Bytes::from_static(bytes)));
    client.chain(page.map(|html| Asset::secret_page("/", Bytes::from(html)))).collect()
}

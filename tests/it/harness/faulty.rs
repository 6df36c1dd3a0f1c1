//! A proxy before a server of HTTP that, when told to, answers everything with status 500 itself, as
//! a gateway does whose server is gone.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const ANSWER: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/html\r\n\
    content-length: 26\r\nconnection: close\r\n\r\n<html>out of order</html>\r\n";

pub(crate) struct Faulty {
    pub(crate) url: String,
    fails: Arc<watch::Sender<bool>>,
}

impl Faulty {
    /// Passes everything on to `http://HOST:PORT`, for as long as the test runs.
    pub(crate) async fn before(url: &str) -> Self {
        let server = url.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let fails = Arc::new(watch::Sender::new(false));
        let switch = fails.subscribe();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, server.clone(), switch.clone()));
            }
        });
        Self { url, fails }
    }

    /// Whether to fail from now on; open connections end.
    pub(crate) fn fail(&self, fails: bool) {
        self.fails.send_replace(fails);
    }
}

async fn serve(mut client: TcpStream, server: String, mut switch: watch::Receiver<bool>) {
    if *switch.borrow_and_update() {
        let mut some = [0; 4096];
        // A client that is gone needs no answer.
        let _read = client.read(&mut some).await;
        let _sent = client.write_all(ANSWER).await;
        return;
    }
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = switch.changed() => {}
    }
}

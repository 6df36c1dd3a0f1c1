//! A proxy before a server of HTTP that, when told to, answers everything with status 500 itself, as
//! a gateway does whose server is gone; or one path with 403, as where a role may not read it.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const ANSWER: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/html\r\n\
    content-length: 26\r\nconnection: close\r\n\r\n<html>out of order</html>\r\n";

const DENIED: &[u8] = b"HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\n\
    content-length: 10\r\nconnection: close\r\n\r\nnot for us";

#[derive(Clone, Copy)]
enum Fault {
    None,
    All,
    Denied(&'static str),
}

pub(crate) struct Faulty {
    pub(crate) url: String,
    fault: Arc<watch::Sender<Fault>>,
}

impl Faulty {
    /// Passes everything on to `http://HOST:PORT`, for as long as the test runs.
    pub(crate) async fn before(url: &str) -> Self {
        let server = url.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let fault = Arc::new(watch::Sender::new(Fault::None));
        let switch = fault.subscribe();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, server.clone(), switch.clone()));
            }
        });
        Self { url, fault }
    }

    /// Whether to fail from now on; open connections end.
    pub(crate) fn fail(&self, fails: bool) {
        let fault = if fails { Fault::All } else { Fault::None };
        self.fault.send_replace(fault);
    }

    /// Denies requests of this path, or none, from now on; open connections end.
    pub(crate) fn deny(&self, path: Option<&'static str>) {
        let fault = path.map_or(Fault::None, Fault::Denied);
        self.fault.send_replace(fault);
    }
}

async fn serve(mut client: TcpStream, server: String, mut switch: watch::Receiver<Fault>) {
    let fault = *switch.borrow_and_update();
    if matches!(fault, Fault::All) {
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
        () = pass_on(&mut client, &mut server, fault) => {}
        _ = switch.changed() => {}
    }
}

/// Requests to the server and replies to the client, until one of them ends or a request is denied.
async fn pass_on(client: &mut TcpStream, server: &mut TcpStream, fault: Fault) {
    let Fault::Denied(path) = fault else {
        let _ended = copy_bidirectional(client, server).await;
        return;
    };
    let (mut request, mut reply) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    loop {
        let passed = tokio::select! {
            read = client.read(&mut request) => {
                let Ok(read @ 1..) = read else { return };
                // The head of a request comes in one piece here.
                if String::from_utf8_lossy(&request[..read]).contains(path) {
                    let _sent = client.write_all(DENIED).await;
                    return;
                }
                server.write_all(&request[..read]).await
            }
            read = server.read(&mut reply) => {
                let Ok(read @ 1..) = read else { return };
                client.write_all(&reply[..read]).await
            }
        };
        if passed.is_err() {
            return;
        }
    }
}

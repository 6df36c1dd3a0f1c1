//! Sockets that share one port: one for each worker, so that the kernel spreads connections over
//! them and no lock is shared between cores.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted, for each socket.
const BACKLOG: i32 = 1024;

/// So many sockets that listen on an address. With port 0 all share the port that the first one got.
pub(super) fn listen(address: SocketAddr, sockets: usize) -> io::Result<Vec<TcpListener>> {
    // A port that another process shares would be shared with it, in silence: it must be free.
    let free = open(address, false)?;
    let address = free.local_addr()?;
    drop(free);
    (0..sockets.max(1)).map(|_| open(address, true)).collect()
}

fn open(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    if shared {
        socket.listen(BACKLOG)?;
    }
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_share_a_port_that_nobody_else_has() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let sockets = listen(any, 3).unwrap();
        let address = sockets[0].local_addr().unwrap();
        for socket in &sockets {
            assert_eq!(socket.local_addr().unwrap(), address);
        }
        assert_eq!(
            listen(address, 1).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
        drop(sockets);
        assert!(listen(address, 1).is_ok());
    }
}

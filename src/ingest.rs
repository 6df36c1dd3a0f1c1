//! The data port: routes, body, client address, credential, reply.

//! Connections to the table: which are used again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tests::World;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Answers requests one after another on one connection; the third of all is answered with 500.
async fn answer(mut socket: TcpStream, requests: Arc<AtomicUsize>) {
    let mut bytes = [0_u8; 8_192];
    while let Ok(1..) = socket.read(&mut bytes).await {
        let status =
            if requests.fetch_add(1, Ordering::SeqCst) == 2 { "500 Internal Server Error" } else { "200 OK" };
        let reply = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: 2\r\n\r\n{{}}"
        );
        if socket.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_connection_is_used_again_unless_it_has_answered_with_an_error_of_the_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (opened, received) = (connections.clone(), requests.clone());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            opened.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(answer(socket, received.clone()));
        }
    });
    let world = World::new().await;
    let away = world.at_endpoint(&endpoint);
    let mut opened = vec![];
    for number in 0..5 {
        assert_eq!(away.app.store.ping().await.is_err(), number == 2, "request {number}");
        opened.push(connections.load(Ordering::SeqCst));
    }
    assert_eq!(opened, [1, 1, 1, 2, 2]);
}

// Calls a guarded API with a client of the AWS SDK for Rust, which gets, uses and renews credentials by itself. A line of JSON in is a
// request for a connection, a line of JSON out is the answer's status.
use aws_sdk_apigatewaymanagement::{config::Builder, error::SdkError, primitives::Blob, Client};
use aws_smithy_http_client::tls::{rustls_provider::CryptoMode, Provider};
use base64::{engine::general_purpose::STANDARD, Engine};
use serde_json::{json, Value};
use std::{fmt::Debug, io::stdin};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let tls = Provider::Rustls(CryptoMode::Ring);
    let http = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest()).http_client(http).load().await;
    let client = Client::new(&config);
    for line in stdin().lines() {
        let request: Value = serde_json::from_str(&line.unwrap()).unwrap();
        println!("{}", call(&client, &request).await);
    }
}

async fn call(client: &Client, request: &Value) -> Value {
    let at = |name: &str| request[name].as_str().unwrap();
    let endpoint = Builder::new().endpoint_url(at("endpoint"));
    let body = STANDARD.decode(at("body")).unwrap();
    if at("method") == "POST" {
        let post = client.post_to_connection().connection_id(at("connection")).data(Blob::new(body));
        return status(post.customize().config_override(endpoint).send().await);
    }
    let get = client.get_connection().connection_id(at("connection"));
    status(get.customize().config_override(endpoint).send().await)
}

fn status<T, E: Debug + 'static>(result: Result<T, SdkError<E>>) -> Value {
    match result {
        Ok(_) => json!({"status": 200}),
        Err(e) => match e.raw_response() {
            Some(response) => json!({"status": response.status().as_u16()}),
            None => json!({"error": format!("{e:?}")}),
        },
    }
}

//! Proxies in front that take a path off, as `docs/operations.md` shows them.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::{Client, Url};
use serde_json::Value;
use tempfile::TempDir;

use crate::server::{Server, run, until};
use crate::skip;

/// A proxy before a server. It is killed when dropped.
struct Proxy {
    child: Child,
    _folder: TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a proxy that listens on the port and hands on to the server.
type Start = fn(folder: &Path, port: u16, server: SocketAddr) -> Command;

fn nginx(folder: &Path, port: u16, server: SocketAddr) -> Command {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|what| format!("{what}_temp_path {}/{what};", folder.display())).join(" ");
    let configuration = format!(
        "daemon off; pid {home}/pid; error_log stderr; events {{}}
        http {{
            access_log off; {temporary}
            upstream documines_auth {{ server {server}; keepalive 32; }}
            server {{
                listen 127.0.0.1:{port};
                location /accounts/ {{
                    proxy_pass http://documines_auth/;
                    proxy_http_version 1.1;
                    proxy_set_header Connection \"\";
                    proxy_set_header Host $host;
                    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                }}
            }}
        }}",
        home = folder.display(),
    );
    std::fs::write(folder.join("nginx.conf"), configuration).unwrap();
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf"));
    command
}

fn caddy(folder: &Path, port: u16, server: SocketAddr) -> Command {
    let configuration = format!(
        "{{\n    admin off\n    auto_https off\n}}
        http://127.0.0.1:{port} {{
            redir /accounts /accounts/
            handle_path /accounts/* {{
                reverse_proxy {server} {{
                    transport http {{
                        keepalive 60s
                    }}
                }}
            }}
        }}\n",
    );
    std::fs::write(folder.join("Caddyfile"), configuration).unwrap();
    let mut command = Command::new("caddy");
    command.env("HOME", folder).arg("run").arg("--config").arg(folder.join("Caddyfile"));
    command
}

fn haproxy(folder: &Path, port: u16, server: SocketAddr) -> Command {
    let configuration = format!(
        "defaults\n    mode http\n    option forwardfor\n    timeout connect 5s\n    timeout client 60s\n    timeout server 60s
frontend public\n    bind 127.0.0.1:{port}
    http-request redirect location /accounts/ if {{ path /accounts }}
    http-request deny deny_status 404 unless {{ path_beg /accounts/ }}
    http-request replace-path /accounts(/.*) \\1\n    default_backend documines_auth
backend documines_auth\n    server one {server}\n",
    );
    std::fs::write(folder.join("haproxy.cfg"), configuration).unwrap();
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(folder.join("haproxy.cfg"));
    command
}

const PROXIES: [(&str, Start); 3] = [("nginx", nginx), ("caddy", caddy), ("haproxy", haproxy)];

/// Whether the machine has a program; Debian keeps some off the path of ordinary users.
fn is_there(program: &str) -> bool {
    ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"].iter().any(|at| Path::new(at).join(program).exists())
}

fn start(start: Start, port: u16, server: &Server) -> Proxy {
    let folder = tempfile::tempdir().unwrap();
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let mut command = start(folder.path(), port, server.address);
    let child = command.env("PATH", path).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until(|| TcpStream::connect(("127.0.0.1", port)).ok());
    Proxy { child, _folder: folder }
}

/// Gets a page as a browser does: redirections are followed. Gives where it ended.
async fn get(client: &Client, url: &Url) -> (u16, Url, String) {
    let answer = client.get(url.clone()).send().await.unwrap();
    (answer.status().as_u16(), answer.url().clone(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_that_takes_a_path_off_everything_is_found_and_the_walk_works() {
    let case = "behind_a_proxy_that_takes_a_path_off_everything_is_found_and_the_walk_works";
    for (name, proxy) in PROXIES {
        if !is_there(name) {
            skip(case, &format!("no {name}"));
            continue;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let public_url = format!("http://127.0.0.1:{port}/accounts");
        let folder = tempfile::tempdir().unwrap();
        let settings =
            ["--public-url", &public_url, "--trusted-proxies", "127.0.0.1", "--reset-token-in-response", "always"];
        let server = Server::start_with(folder.path(), &settings, &[]);
        let _proxy = start(proxy, port, &server);
        let client = Client::new();
        let base = Url::parse(&format!("{public_url}/")).unwrap();
        let docs = base.join("docs/").unwrap();
        for from in [public_url.parse().unwrap(), base.clone(), base.join("docs").unwrap()] {
            let (status, at, page) = get(&client, &from).await;
            assert_eq!((status, &at), (200, &docs), "{name}: {from}");
            for link in
                page.split(['"', '\'']).filter(|text| [".js", ".css", ".json"].iter().any(|end| text.ends_with(end)))
            {
                assert_eq!(get(&client, &at.join(link).unwrap()).await.0, 200, "{name}: {link}");
            }
        }
        let (_, at, document) = get(&client, &base.join("openapi.json").unwrap()).await;
        let document: Value = serde_json::from_str(&document).unwrap();
        let api = at.join(document["servers"][0]["url"].as_str().unwrap()).unwrap();
        let (status, _, problem) = get(&client, &format!("{api}/profile/").parse().unwrap()).await;
        assert_eq!(status, 401, "{name}: {api}");
        let problem: Value = serde_json::from_str(&problem).unwrap();
        let (status, at, page) = get(&client, &problem["type"].as_str().unwrap().parse().unwrap()).await;
        assert_eq!(status, 200, "{name}: {problem}");
        let link = page.split("href=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(at.join(link).unwrap(), docs, "{name}");
        // Who opens the server itself finds the way, too.
        let (status, at, _) = get(&client, &server.url("/").parse().unwrap()).await;
        assert_eq!((status, at.as_str()), (200, server.url("/docs/").as_str()), "{name}");

        let walk = run(folder.path(), &["walk", "--url", &public_url], &[]);
        let printed = String::from_utf8_lossy(&walk.stdout);
        assert!(walk.status.success(), "{name}: {printed}{}", String::from_utf8_lossy(&walk.stderr));
    }
}

//! What a running server tells of its background jobs.

use std::time::Instant;

use crate::server::{PATIENCE, Server};

#[tokio::test]
async fn a_running_server_tells_when_its_jobs_last_succeeded() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &["--metrics-listen", "127.0.0.1:0"], &[]);
    let log = server.log();
    let address = log.lines().find(|line| line.contains("serving metrics")).unwrap();
    let address = address.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
    let start = Instant::now();
    loop {
        let metrics = reqwest::get(format!("http://{address}/metrics")).await.unwrap().text().await.unwrap();
        let told = |job| metrics.contains(&format!("job_last_success_timestamp_seconds{{job=\"{job}\"}} "));
        // The others have their first round after half a minute and more.
        if ["changes", "counts", "refusals", "mail"].into_iter().all(told) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{metrics}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

//! A second server on an SQLite file that it reaches by another mount.

use std::process::{Command, Stdio};

use crate::server::{Server, binary};
use crate::skip;

#[test]
fn a_second_server_is_refused_in_a_container_that_mounts_the_same_folder() {
    let contained = ["--user", "--map-root-user", "--mount", "sh", "-c"];
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("bound")).unwrap();
    let _server = Server::start(folder.path());
    let in_container = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(contained).arg(format!("mount --bind data bound && {script}"));
        command.arg(binary(folder.path()).get_program()).current_dir(folder.path()).stdin(Stdio::null());
        command.output().unwrap()
    };
    if !in_container("true").status.success() {
        return skip("a_second_server_is_refused_in_a_container_that_mounts_the_same_folder", "cannot mount a folder");
    }
    for named in ["--data-dir: bound is in use", "--database-url: bound/auth.db is in use"] {
        let output = in_container(r#"exec timeout 30 "$0" --listen 127.0.0.1:0 --data-dir bound"#);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(named), "{said}");
        let _ = std::fs::remove_file(folder.path().join("data/lock"));
    }
}

//! schemathesis, which makes requests of all kinds out of the API's description, finds none that the server fails on.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use earwitness_collector::store::Role;
use support::start;

/// Where `scripts/install-clients.sh` puts other people's programs.
fn python_clients() -> PathBuf {
    // target/debug/deps/this-test
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap();
    let folder = target.join("python-clients");
    assert!(
        folder.join("schemathesis").exists(),
        "schemathesis is missing: run `sh scripts/install-clients.sh {}` (`make test` does)",
        target.display()
    );
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_of_any_kind_makes_the_server_fail() {
    let server = start(|settings| {
        settings.limits.requests_per_s = 1_000_000;
        settings.limits.burst = 1_000_000;
        settings.limits.refusals_per_minute = 1_000_000;
    })
    .await;
    let clients = python_clients();
    let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients");
    let tokens = [
        ("a device", server.device("fuzz").await),
        ("an administrator", server.store.appoint("root", Role::Admin).await.unwrap()),
        ("nobody", "none".to_owned()),
    ];
    for (who, token) in tokens {
        let paths = std::env::join_paths([&clients, &hooks]).unwrap();
        let mut run = Command::new("python3");
        run.args(["-m", "schemathesis.cli", "run", &server.url("/openapi.json")])
            .args(["--header", &format!("Authorization: Bearer {token}")])
            .args(["--checks", "not_a_server_error", "--phases", "coverage,fuzzing"])
            .args(["--max-examples", "40", "--seed", "20261127", "--no-color"])
            .env("PYTHONPATH", paths)
            .env("SCHEMATHESIS_HOOKS", "schemathesis_hooks")
            .current_dir(server.folder.path());
        let output = tokio::task::spawn_blocking(move || run.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "as {who}:\n{said}\n{errors}");
        // "678 generated, 678 passed": it did something.
        let generated =
            said.lines().find_map(|line| line.trim().split(" generated").next()?.parse::<u64>().ok());
        assert!(generated.is_some_and(|n| n > 300), "as {who}: {said}");
    }
}

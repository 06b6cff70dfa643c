//! The child process from outside: started, killed, started again.

use std::fs::{File, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use super::plan::Plan;

/// Where the child finds its plan, and the write in which it is to die.
pub const PLAN: &str = "EARWITNESS_TEST_FLEET_PLAN";
pub const LAST_WRITE: &str = "EARWITNESS_TEST_FLEET_LAST_WRITE";

pub struct Fleet {
    plan: PathBuf,
    log: File,
    log_path: PathBuf,
    child: Option<Child>,
    /// Kills from outside.
    pub kills: u32,
    /// Kills in the middle of a write.
    pub torn_kills: u32,
    pub starts: u32,
}

impl Fleet {
    pub fn new(plan: &Plan) -> Self {
        let log_path = plan.folder.join("fleet.log");
        let log = OpenOptions::new().create(true).append(true).open(&log_path).unwrap();
        Self { plan: plan.path(), log, log_path, child: None, kills: 0, torn_kills: 0, starts: 0 }
    }

    /// `last_write`: the write in the middle of which it kills itself, 0 for none.
    pub fn start(&mut self, last_write: u64) {
        assert!(self.child.is_none(), "the fleet runs already");
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["the_fleet", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env(PLAN, &self.plan)
            .env(LAST_WRITE, last_write.to_string())
            // It ends when this closes.
            .stdin(Stdio::piped())
            .stdout(self.log.try_clone().unwrap())
            .stderr(self.log.try_clone().unwrap())
            .spawn()
            .unwrap();
        self.child = Some(child);
        self.starts += 1;
    }

    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        child.kill().unwrap();
        let status = child.wait().unwrap();
        self.ended(status);
        self.kills += 1;
    }

    /// Whether it has done its work. If it killed itself it is started again.
    pub fn has_finished(&mut self) -> bool {
        let Some(child) = &mut self.child else { return false };
        let Some(status) = child.try_wait().unwrap() else { return false };
        self.child = None;
        if self.ended(status) {
            return true;
        }
        self.torn_kills += 1;
        self.start(0);
        false
    }

    fn ended(&self, status: ExitStatus) -> bool {
        if !status.success() && status.signal() != Some(9) {
            panic!("the fleet failed, {status}:\n{}", self.log());
        }
        status.success()
    }

    pub fn log(&self) -> String {
        super::server::tail(&self.log_path)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

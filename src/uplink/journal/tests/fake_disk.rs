//! A disk that keeps what it promised and nothing else.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use super::super::disk::{Disk, DiskFile};
use super::super::segment::Header;

/// Sectors are written in any order.
const SECTOR: usize = 512;

#[derive(Clone, Debug, Default)]
struct Content {
    /// As the process sees it.
    data: Vec<u8>,
    /// As a loss of power would leave it, at least.
    synced: Vec<u8>,
    /// Dirty when a sync failed: later syncs succeed and leave these out.
    dropped: Vec<(usize, usize)>,
}

impl Content {
    fn sync(&mut self) {
        self.synced = self.data.clone();
        for &(from, to) in &self.dropped {
            let to = to.min(self.synced.len());
            self.synced[from.min(to)..to].fill(0);
        }
    }

    /// What a loss of power leaves.
    fn survive(&mut self, rng: &mut fastrand::Rng) {
        let kept = self.synced.len();
        if self.data.len() < kept || self.data[..kept] != self.synced {
            self.data = self.synced.clone();
            return;
        }
        self.data.truncate(rng.usize(kept..=self.data.len()));
        let mut sector = kept;
        while sector < self.data.len() {
            let end = (sector / SECTOR * SECTOR + SECTOR).min(self.data.len());
            if rng.u8(..4) == 0 {
                self.data[sector..end].fill(0);
            }
            sector = end;
        }
        self.synced = self.data.clone();
        self.dropped.clear();
    }
}

#[derive(Debug, Default)]
pub(super) struct World {
    files: BTreeMap<u64, Content>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    made: u64,
    /// The process that may use it; others are dead.
    life: u64,
    /// Bytes in all; `None` is plenty.
    pub(super) capacity: Option<usize>,
    /// Operations until the process dies within one.
    pub(super) steps_left: Option<u32>,
    /// So many syncs fail.
    pub(super) failing_syncs: u32,
    /// How often something was made durable.
    pub(super) syncs: u64,
}

impl World {
    fn used(&self) -> usize {
        self.names.values().filter_map(|id| self.files.get(id)).map(|file| file.data.len()).sum()
    }

    fn step(&mut self, life: u64) -> io::Result<bool> {
        if life != self.life || self.steps_left == Some(0) {
            return Err(io::Error::other("the process is dead"));
        }
        self.steps_left = self.steps_left.map(|left| left - 1);
        Ok(self.steps_left != Some(0))
    }

    fn content(&mut self, name: &str) -> io::Result<&mut Content> {
        let id = self.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        self.files.get_mut(id).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn fail_sync(&mut self) -> bool {
        let fails = self.failing_syncs > 0;
        self.failing_syncs = self.failing_syncs.saturating_sub(1);
        self.syncs += 1;
        fails
    }

    fn sync(&mut self, id: u64) -> io::Result<()> {
        let fails = self.fail_sync();
        let Some(content) = self.files.get_mut(&id) else { return Ok(()) };
        if fails {
            content.dropped.push((content.synced.len(), content.data.len()));
            return Err(io::Error::other("the device is not well"));
        }
        content.sync();
        Ok(())
    }
}

/// One process's view of a disk that outlives it.
#[derive(Clone)]
pub(super) struct FakeDisk {
    world: Arc<Mutex<World>>,
    life: u64,
}

impl FakeDisk {
    pub(super) fn new() -> Self {
        Self { world: Arc::default(), life: 0 }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// The process is gone; its writes stay, but for those that a failed sync dropped: the next one cannot know of them.
    pub(super) fn kill(&self) -> Self {
        let mut world = self.world();
        for content in world.files.values_mut() {
            for (from, to) in std::mem::take(&mut content.dropped) {
                let to = to.min(content.data.len());
                content.data[from.min(to)..to].fill(0);
            }
        }
        world.life += 1;
        world.steps_left = None;
        Self { world: self.world.clone(), life: world.life }
    }

    /// The power is gone: of what was not synced some is there, in any order.
    pub(super) fn lose_power(&self, rng: &mut fastrand::Rng) -> Self {
        let next = self.kill();
        let mut world = self.world();
        world.files.values_mut().for_each(|file| file.survive(rng));
        let all: Vec<String> = world.names.keys().chain(world.durable_names.keys()).cloned().collect();
        for name in all {
            let (now, durable) = (world.names.get(&name).copied(), world.durable_names.get(&name).copied());
            let stays = if rng.bool() { now } else { durable };
            match stays {
                Some(id) => drop(world.names.insert(name, id)),
                None => drop(world.names.remove(&name)),
            }
        }
        world.durable_names = world.names.clone();
        drop(world);
        next
    }

    /// Turns over one bit; returns the file's name.
    pub(super) fn rot(&self, rng: &mut fastrand::Rng) -> Option<String> {
        let mut world = self.world();
        let names: Vec<String> = world.names.keys().cloned().collect();
        let name = rng.choice(names)?;
        // With nothing but its state a journal has nothing left to be recognized by.
        let recognizable = |(name, id): (&String, &u64)| {
            name.ends_with(".seg") && Header::decode(&world.files[id].synced).is_some()
        };
        if !name.ends_with(".seg") && (world.capacity.is_some() || !world.names.iter().any(recognizable)) {
            return None;
        }
        let content = world.content(&name).ok()?;
        let at = rng.usize(..content.data.len().max(1));
        let bit = 1 << rng.u8(..8);
        for bytes in [&mut content.data, &mut content.synced] {
            bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= bit);
        }
        Some(name)
    }

    /// The content of a file.
    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        self.world().content(name).map(|content| content.data.clone()).unwrap_or_default()
    }

    /// Puts a file there, durable.
    pub(super) fn put(&self, name: &str, data: &[u8]) {
        let mut world = self.world();
        world.made += 1;
        let id = world.made;
        world.files.insert(id, Content { data: data.to_vec(), synced: data.to_vec(), dropped: Vec::new() });
        world.names.insert(name.to_owned(), id);
        world.durable_names.insert(name.to_owned(), id);
    }

    pub(super) fn segments(&self) -> Vec<String> {
        self.world().names.keys().filter(|name| name.ends_with(".seg")).cloned().collect()
    }
}

impl Disk for FakeDisk {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let world = self.world();
        Ok(world.names.iter().map(|(name, id)| (name.clone(), world.files[id].data.len() as u64)).collect())
    }

    fn read(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        let mut world = self.world();
        let data = &world.content(name)?.data;
        Ok(data[..data.len().min(most as usize)].to_vec())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world();
        world.step(self.life)?;
        world.made += 1;
        let id = world.made;
        world.files.insert(id, Content::default());
        world.names.insert(name.to_owned(), id);
        Ok(Arc::new(FakeFile { disk: self.clone(), id }))
    }

    fn reopen(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world();
        world.step(self.life)?;
        world.content(name)?.data.truncate(bytes as usize);
        let id = world.names[name];
        Ok(Arc::new(FakeFile { disk: self.clone(), id }))
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        let mut world = self.world();
        world.step(self.life)?;
        let id = *world.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        world.sync(id)
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut world = self.world();
        world.step(self.life)?;
        if world.fail_sync() {
            return Err(io::Error::other("the device is not well"));
        }
        world.durable_names = world.names.clone();
        Ok(())
    }

    fn write_atomic(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let full = {
            let mut world = self.world();
            // Dying within it leaves the old file.
            if !world.step(self.life)? {
                return Err(io::Error::other("the process is dead"));
            }
            world.capacity.is_some_and(|capacity| world.used() + content.len() > capacity)
        };
        if full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.world().fail_sync() {
            return Err(io::Error::other("the device is not well"));
        }
        self.put(name, content);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.world();
        world.step(self.life)?;
        world.names.remove(name);
        Ok(())
    }
}

struct FakeFile {
    disk: FakeDisk,
    id: u64,
}

impl DiskFile for FakeFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.disk.world();
        let alive = world.step(self.disk.life)?;
        let room = world.capacity.map_or(usize::MAX, |capacity| capacity.saturating_sub(world.used()));
        let Some(content) = world.files.get_mut(&self.id) else { return Ok(()) };
        // Some of it, should the process die here.
        let fits = if alive { bytes.len().min(room) } else { bytes.len() / 2 };
        content.data.extend(&bytes[..fits]);
        match fits == bytes.len() {
            true => Ok(()),
            false => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        world.step(self.disk.life)?;
        world.files.get_mut(&self.id).into_iter().for_each(|content| content.data.truncate(bytes as usize));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.disk.world();
        world.step(self.disk.life)?;
        world.sync(self.id)
    }
}

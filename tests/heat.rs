//! What a hot device leaves out, and what `doctor` says of the board.

mod support;

use std::fs;
use std::sync::atomic::Ordering;

use earwitness::asr::EngineId;
use earwitness::endpoint::{EndpointRules, Endpointer};
use earwitness::pipeline::{
    Engines, Event, Pipeline, PipelineOptions, Relief, RunSummary, ShadowEngine, ShadowRules, StopSignal,
};
use support::fakes::{FakeRecognizer, LoudIsSpeech, Script, Step, talk};

fn run(
    engines: Engines<'_>,
    blocks: Vec<Step>,
    relief: &Relief,
    on_event: &mut dyn FnMut(Event),
) -> RunSummary {
    let mut endpointer = Endpointer::new(EndpointRules::default(), Box::new(LoudIsSpeech)).unwrap();
    let source = Box::new(Script { blocks, fails: false });
    let options = PipelineOptions { live: true, relief: relief.clone(), ..PipelineOptions::default() };
    Pipeline::with_engines(&mut endpointer, engines, options)
        .run(source, &StopSignal::default(), on_event)
        .unwrap()
}

#[test]
fn a_hot_device_recognizes_what_has_ended_and_speculates_on_nothing() {
    let mut recognizer = FakeRecognizer::new(1);
    let relief = Relief::default();
    relief.want(true);
    let mut finals = 0;
    let summary = run(Engines::local(&mut recognizer), talk(3), &relief, &mut |event| {
        finals += usize::from(matches!(event, Event::Final(_)));
    });
    assert_eq!((finals, summary.speculations), (3, 0));
}

#[test]
fn the_shadow_rests_on_a_hot_device_and_goes_on_when_it_has_cooled_down() {
    let mut primary = FakeRecognizer::new(1);
    let mut shadow = FakeRecognizer::new(1);
    shadow.engine = EngineId::new("fake", "shadow", "none");
    let (answers, shadows) = (primary.begun.clone(), shadow.begun.clone());
    let rested = shadows.clone();
    let mut blocks = talk(2);
    // The source goes on when the shadow has begun: long before the end, at which it would work anyway.
    blocks.extend([Step::Await(answers, 2), Step::Await(shadows, 1), Step::Silence(100)]);
    let engines = Engines {
        shadow: Some(ShadowEngine { recognizer: &mut shadow, rules: ShadowRules::default() }),
        ..Engines::local(&mut primary)
    };
    let relief = Relief::default();
    relief.want(true);
    let mut finals = 0;
    let summary = run(engines, blocks, &relief, &mut |event| {
        if matches!(event, Event::Final(_)) {
            finals += 1;
            assert_eq!(rested.load(Ordering::Relaxed), 0, "the shadow works on a hot device");
            relief.want(finals < 2);
        }
    });
    assert_eq!((finals, summary.shadow.unwrap().compared), (2, 2));
}

#[test]
fn doctor_names_the_board_and_says_what_is_wrong_with_its_power() {
    let tree = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("sys/firmware/devicetree/base/model", "Raspberry Pi 4 Model B Rev 1.4\0"),
        ("sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "powersave"),
        ("sys/class/thermal/thermal_zone0/type", "cpu-thermal"),
        ("sys/class/thermal/thermal_zone0/temp", "82000"),
        ("sys/devices/platform/soc/soc:firmware/get_throttled", "50005"),
    ] {
        let path = tree.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let output =
        support::earwitness().args(["doctor", "--json", "--system-root"]).arg(tree.path()).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["board"]["model"], "Raspberry Pi 4 Model B Rev 1.4");
    assert_eq!(report["board"]["firmware"], 0x50005);
    let checks = report["checks"].as_array().unwrap();
    for (name, word) in
        [("clock", "powersave"), ("heat", "82 °C"), ("power", "under-voltage now, throttled now")]
    {
        let check = checks.iter().find(|check| check["check"] == name).unwrap();
        assert_eq!(check["status"], "warning", "{check}");
        assert!(check["found"].as_str().unwrap().contains(word), "{check}");
        assert!(check["advice"].as_str().is_some_and(|advice| !advice.is_empty()));
    }
}

// Uses the iOS sample as an app would, with the stand-in for AVFoundation beside this file.
//
//     hear MODEL_FOLDER SPEECH.f32     prints what is told, `checked` at the end; a fault ends it

import AVFoundation

final class Heard: SessionListener, @unchecked Sendable {
    private let lock = NSLock()
    private var lines: [String] = []

    func say(_ line: String) {
        lock.withLock { lines.append(line) }
        print(line)
    }

    func onEvent(event: SessionEvent) {
        switch event {
        case let .partial(_, text, _): say("partial " + text)
        case let .final(_, _, _, text, _, _, _, _, _): say("final " + text)
        case let .ended(error, _, _): say("ended " + (error ?? "well"))
        default: break
        }
    }

    func tell(_ state: PhoneMicrophone.State) {
        switch state {
        case let .failed(error): say("failed \(error)")
        default: say("\(state)")
        }
    }

    func count(_ beginning: String) -> Int { lock.withLock { lines.filter { $0.hasPrefix(beginning) }.count } }

    /// Waits until a line that begins so was told once more than before.
    func next(_ beginning: String, _ happens: () async -> Void) async {
        let before = count(beginning)
        await happens()
        for _ in 0..<3000 {
            if count(beginning) > before { return }
            try? await Task.sleep(nanoseconds: 20_000_000)
        }
        fatalError("nothing more was told of: \(beginning)")
    }
}

func interruption(_ type: AVAudioSession.InterruptionType, resume: Bool = false) {
    NotificationCenter.default.post(
        name: AVAudioSession.interruptionNotification, object: nil,
        userInfo: [
            AVAudioSessionInterruptionTypeKey: type.rawValue,
            AVAudioSessionInterruptionOptionKey: resume ? AVAudioSession.InterruptionOptions.shouldResume.rawValue : UInt(0),
        ])
}

func isLetGo() -> Bool {
    !Microphone.it.isActive && Microphone.it.enginesRun == 0 && Microphone.it.tapsInstalled == 0
}

@main
struct HearWithPhone {
    static func main() async throws {
        // What was told before a fault is not lost with it.
        setlinebuf(stdout)
        let arguments = CommandLine.arguments
        let bytes = try Data(contentsOf: URL(fileURLWithPath: arguments[2]))
        Microphone.it.samples = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        let heard = Heard()
        let runtime = try await openRuntime(config: RuntimeConfig(modelFolder: arguments[1]))
        var phone: PhoneMicrophone? = PhoneMicrophone(runtime: runtime, listener: heard) { heard.tell($0) }
        func again() { Microphone.it.at = 0 }

        heard.say("# all of it, and a second start changes nothing")
        await phone!.start()
        await phone!.start()
        while Microphone.it.at < Microphone.it.samples.count { try await Task.sleep(nanoseconds: 100_000_000) }
        await heard.next("stopped") { await phone!.stop() }
        precondition(isLetGo() && heard.count("listening") == 1 && heard.count("ended well") == 1)

        heard.say("# a call while somebody speaks, and further when it is over")
        again()
        await heard.next("partial") { await phone!.start() }
        await heard.next("ended well") { interruption(.began) }
        precondition(isLetGo() && heard.count("interrupted") == 1)
        // Both at once: in this order.
        await heard.next("listening") { interruption(.ended, resume: true) }
        await heard.next("partial") {}
        await heard.next("listening") {
            interruption(.began)
            interruption(.ended, resume: true)
        }

        heard.say("# a headset: the same microphone with another session, and the old engine's news are none")
        let old = AVAudioEngine.last
        await heard.next("listening") { NotificationCenter.default.post(name: .AVAudioEngineConfigurationChange, object: old) }
        let listening = heard.count("listening")
        NotificationCenter.default.post(name: .AVAudioEngineConfigurationChange, object: AVAudioEngine())

        heard.say("# who stopped stays stopped")
        await phone!.stop()
        interruption(.began)
        interruption(.ended, resume: true)
        NotificationCenter.default.post(name: AVAudioSession.mediaServicesWereResetNotification, object: nil)
        try await Task.sleep(nanoseconds: 500_000_000)
        precondition(isLetGo() && heard.count("listening") == listening)

        heard.say("# a call after which the system does not say: go on")
        await heard.next("partial") {
            again()
            await phone!.start()
        }
        await heard.next("interrupted") { interruption(.began) }
        await heard.next("stopped") { interruption(.ended) }
        precondition(isLetGo())

        heard.say("# an engine that does not start, and no input: nothing stays behind, and no call's end begins it")
        Microphone.it.refusesToStart = true
        await heard.next("failed") { await phone!.start() }
        precondition(isLetGo())
        Microphone.it.refusesToStart = false
        Microphone.it.rate = 0
        await heard.next("failed") { await phone!.start() }
        Microphone.it.rate = 16000
        interruption(.ended, resume: true)
        await heard.next("stopped") { await phone!.stop() }
        precondition(isLetGo())

        heard.say("# let go while it listens")
        await heard.next("listening") { await phone!.start() }
        phone = nil
        for _ in 0..<100 where !isLetGo() { try await Task.sleep(nanoseconds: 50_000_000) }
        precondition(isLetGo())
        try await runtime.shutDown(flushMs: 0)
        heard.say("checked")
    }
}

// Transcribes a recording, then hears the same speech as a live stream of buffers. See README.md beside this file.

import Foundation

/// Prints what the session tells, from the session's thread.
final class Printer: SessionListener {
    let name: String

    init(_ name: String) {
        self.name = name
    }

    func onEvent(event: SessionEvent) {
        switch event {
        case let .partial(_, text, _):
            print(name, "partial", text)
        case let .final(_, _, _, text, _, _, _, _, _):
            print(name, "final", text)
        case let .ended(error, _, summary):
            print(name, "ended", error ?? (summary?.cancelled == true ? "cancelled" : "well"))
        case let .notice(text):
            FileHandle.standardError.write(Data((text + "\n").utf8))
        default:
            break
        }
    }
}

@main
struct Transcribe {
    static func main() async {
        do {
            try await run()
        } catch let error as EarwitnessError {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            exit(1)
        } catch {
            fatalError("\(error)")
        }
    }

    static func run() async throws {
        let arguments = CommandLine.arguments
        guard (4...5).contains(arguments.count) else {
            fatalError("usage: transcribe MODEL_FOLDER RECORDING SPEECH.s16 [CANCEL_AFTER_S]")
        }
        let runtime = try await openRuntime(config: RuntimeConfig(modelFolder: arguments[1]))

        let recording = try runtime.start(input: .file(path: arguments[2]), listener: Printer("file"))
        _ = try await recording.finish()

        // On a phone an AVAudioEngine tap gives the buffers; here a file does, one every 20 ms.
        let cancelAfter = arguments.count > 4 ? Double(arguments[4])! : .infinity
        let live = AudioInput.pushed(rateHz: 16000, channels: 1, live: true)
        let session = try runtime.start(input: live, listener: Printer("live"))
        let speech = try Data(contentsOf: URL(fileURLWithPath: arguments[3]))
        for at in stride(from: 0, to: speech.count, by: 640) {
            let lost = try session.pushBytes(pcm16: speech.subdata(in: at..<min(at + 640, speech.count)))
            if lost > 0 {
                print(lost, "frames lost")
            }
            try await Task.sleep(nanoseconds: 20_000_000)
            if Double(at) / 32000 > cancelAfter {
                session.cancel()
                break
            }
        }
        _ = try await session.finish()
        try await runtime.shutDown(flushMs: 0)
    }
}

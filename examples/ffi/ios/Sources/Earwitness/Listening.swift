import AVFoundation

/// The microphone into one session, from its beginning to its end: what `PhoneMicrophone` begins and ends.
final class Listening {
    let engine = AVAudioEngine()
    private let session: Session

    /// Where it fails nothing is left behind: no session, no tap, and the microphone is let go.
    init(runtime: Runtime, listener: SessionListener) async throws {
        let audio = AVAudioSession.sharedInstance()
        var begun: Session?
        do {
            try audio.setCategory(.record, mode: .measurement)
            try audio.setActive(true)
            let format = engine.inputNode.outputFormat(forBus: 0)
            // A rate of 0: there is no input, or somebody else has it.
            guard format.sampleRate > 0, format.commonFormat == .pcmFormatFloat32, !format.isInterleaved else {
                throw EarwitnessError.Microphone(reason: "no microphone that can be used: \(format)")
            }
            let input = AudioInput.pushed(rateHz: UInt32(format.sampleRate), channels: 1, live: true)
            let session = try runtime.start(input: input, listener: listener)
            begun = session
            engine.inputNode.installTap(onBus: 0, bufferSize: 1024, format: format) { buffer, _ in
                guard let samples = buffer.floatChannelData?[0] else { return }
                // What is lost is told as `gap`. After the session's end this throws, and `ended` has told why.
                _ = try? session.pushFloatBytes(pcm32: Data(bytes: samples, count: Int(buffer.frameLength) * 4))
            }
            try engine.start()
            self.session = session
        } catch {
            engine.inputNode.removeTap(onBus: 0)
            begun?.cancel()
            _ = try? await begun?.finish()
            try? audio.setActive(false, options: .notifyOthersOnDeactivation)
            throw error
        }
    }

    /// What was said until now has its text when this is over. `letGo`: others may use the microphone and play, at once.
    func end(letGo: Bool) async throws {
        let released = Result { try silence(letGo: letGo) }
        _ = try await session.finish()
        try released.get()
    }

    /// The microphone is let go, and nothing more is answered.
    func abandon() {
        session.cancel()
        try? silence(letGo: true)
    }

    private func silence(letGo: Bool) throws {
        engine.inputNode.removeTap(onBus: 0)
        engine.stop()
        if letGo { try AVAudioSession.sharedInstance().setActive(false, options: .notifyOthersOnDeactivation) }
    }
}

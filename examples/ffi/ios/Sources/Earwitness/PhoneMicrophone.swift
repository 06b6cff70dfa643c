import AVFoundation

/// The phone's microphone into a session. The app has `NSMicrophoneUsageDescription` and asked for the permission before.
public final class PhoneMicrophone {
    private let runtime: Runtime
    private let listener: SessionListener
    private let engine = AVAudioEngine()
    private var session: Session?

    public init(runtime: Runtime, listener: SessionListener) {
        self.runtime = runtime
        self.listener = listener
        let center = NotificationCenter.default
        // A call, Siri, another app: begin again when it is over. A headset put in or out: the format changes.
        center.addObserver(self, selector: #selector(interrupted), name: AVAudioSession.interruptionNotification, object: nil)
        center.addObserver(self, selector: #selector(routeChanged), name: .AVAudioEngineConfigurationChange, object: engine)
    }

    public func start() throws {
        let audio = AVAudioSession.sharedInstance()
        try audio.setCategory(.record, mode: .measurement)
        try audio.setActive(true)
        let input = engine.inputNode
        let format = input.outputFormat(forBus: 0)
        let pushed = AudioInput.pushed(rateHz: UInt32(format.sampleRate), channels: 1, live: true)
        let session = try runtime.start(input: pushed, listener: listener)
        self.session = session
        input.installTap(onBus: 0, bufferSize: 1024, format: format) { buffer, _ in
            guard let samples = buffer.floatChannelData?[0] else { return }
            // After the end it throws: nothing to do about it here.
            _ = try? session.push(samples: Array(UnsafeBufferPointer(start: samples, count: Int(buffer.frameLength))))
        }
        try engine.start()
    }

    /// What was said until now still gets its text.
    public func stop() async throws {
        engine.inputNode.removeTap(onBus: 0)
        engine.stop()
        let ending = session
        session = nil
        try await ending?.finish()
    }

    @objc private func interrupted(_ notification: Notification) {
        let kind = notification.userInfo?[AVAudioSessionInterruptionTypeKey] as? UInt
        Task {
            try? await stop()
            if kind == AVAudioSession.InterruptionType.ended.rawValue { try? start() }
        }
    }

    @objc private func routeChanged(_ notification: Notification) {
        Task {
            try? await stop()
            try? start()
        }
    }
}

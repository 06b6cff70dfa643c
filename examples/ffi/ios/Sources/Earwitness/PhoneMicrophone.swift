import AVFoundation

/// The phone's microphone into sessions. The app has `NSMicrophoneUsageDescription` and asked for the permission before. One task
/// does everything, one thing after the other and in the order in which it happened: sessions never overlap.
public final class PhoneMicrophone: @unchecked Sendable {
    /// `interrupted`: a call or another app has it. It begins again when the system says so.
    public enum State: Sendable { case listening, interrupted, stopped, failed(Error) }
    private enum Step: @unchecked Sendable {
        case start(CheckedContinuation<Void, Never>), stop(CheckedContinuation<Void, Never>)
        case interrupted, over(resume: Bool), changed(AVAudioEngine?)
    }

    private let runtime: Runtime, listener: SessionListener, tell: @Sendable (State) -> Void
    private let steps: AsyncStream<Step>.Continuation
    private var observers: [NSObjectProtocol] = []
    // The task's own.
    private var wanted = false
    private var running: Listening?

    /// `tell` hears of every change and every failure, from the task's thread.
    public init(runtime: Runtime, listener: SessionListener, tell: @escaping @Sendable (State) -> Void) {
        let (stream, steps) = AsyncStream.makeStream(of: Step.self)
        (self.runtime, self.listener, self.tell, self.steps) = (runtime, listener, tell, steps)
        func observe(_ name: Notification.Name, _ step: @escaping @Sendable (Notification) -> Step) {
            observers.append(NotificationCenter.default.addObserver(forName: name, object: nil, queue: nil) { steps.yield(step($0)) })
        }
        observe(AVAudioSession.interruptionNotification) { notification in
            let number = { notification.userInfo?[$0] as? UInt ?? 0 }
            if number(AVAudioSessionInterruptionTypeKey) == AVAudioSession.InterruptionType.began.rawValue { return .interrupted }
            let options = AVAudioSession.InterruptionOptions(rawValue: number(AVAudioSessionInterruptionOptionKey))
            return .over(resume: options.contains(.shouldResume))
        }
        // A headset was put in or out: the engine has stopped, and its rate may be another one.
        observe(.AVAudioEngineConfigurationChange) { .changed($0.object as? AVAudioEngine) }
        observe(AVAudioSession.mediaServicesWereResetNotification) { _ in .changed(nil) }
        Task { [weak self] in
            for await step in stream { await self?.take(step) }
        }
    }

    deinit {
        observers.forEach { NotificationCenter.default.removeObserver($0) }
        steps.finish()
        running?.abandon()
    }

    /// Begins to listen. When it returns, `tell` has heard whether it does.
    public func start() async { await withCheckedContinuation { _ = steps.yield(.start($0)) } }

    /// Ends listening, whatever the system says later. When it returns, what was said until now has its text.
    public func stop() async { await withCheckedContinuation { _ = steps.yield(.stop($0)) } }

    private func take(_ step: Step) async {
        do {
            switch step {
            case .start:
                if running == nil { try await begin() }
            case .stop:
                wanted = false
                try await end()
                tell(.stopped)
            case .interrupted where running != nil:
                tell(.interrupted)
                try await end()
            case let .over(resume) where wanted && running == nil:
                wanted = resume
                if resume { try await begin() } else { tell(.stopped) }
            case let .changed(engine) where running != nil && (engine == nil || engine === running?.engine):
                try await end(letGo: false)
                try await begin()
            default: break
            }
        } catch {
            tell(.failed(error))
        }
        if case let .start(done) = step { done.resume() }
        if case let .stop(done) = step { done.resume() }
    }

    private func begin() async throws {
        // Whoever was told that it failed is not heard later, when a call is over.
        wanted = false
        running = try await Listening(runtime: runtime, listener: listener)
        wanted = true
        tell(.listening)
    }

    private func end(letGo: Bool = true) async throws {
        let ending = running
        running = nil
        try await ending?.end(letGo: letGo)
    }
}

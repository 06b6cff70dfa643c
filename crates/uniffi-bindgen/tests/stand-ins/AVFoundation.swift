// As much of AVFoundation as examples/ffi/ios uses, for a compiler on Linux. Its microphone is a file of 32-bit floats at 16 kHz,
// which stands still while nobody listens.

@_exported import Foundation

/// What a test turns.
public final class Microphone: @unchecked Sendable {
    public static let it = Microphone()
    public var samples: [Float] = []
    public var at = 0
    public var rate = 16000.0
    public var enginesRun = 0
    public var tapsInstalled = 0
    public var refusesToStart = false
    public var isActive = false
}

public let AVAudioSessionInterruptionTypeKey = "type"
public let AVAudioSessionInterruptionOptionKey = "option"

public final class AVAudioSession: @unchecked Sendable {
    public enum Category { case record }
    public enum Mode { case measurement }
    public enum InterruptionType: UInt { case ended = 0, began = 1 }
    public struct InterruptionOptions: OptionSet, Sendable {
        public let rawValue: UInt
        public init(rawValue: UInt) { self.rawValue = rawValue }
        public static let shouldResume = InterruptionOptions(rawValue: 1)
    }
    public struct SetActiveOptions: OptionSet, Sendable {
        public let rawValue: UInt
        public init(rawValue: UInt) { self.rawValue = rawValue }
        public static let notifyOthersOnDeactivation = SetActiveOptions(rawValue: 1)
    }

    public static let interruptionNotification = Notification.Name("interruption")
    public static let mediaServicesWereResetNotification = Notification.Name("reset")
    private static let it = AVAudioSession()
    public static func sharedInstance() -> AVAudioSession { it }

    public func setCategory(_ category: Category, mode: Mode) throws {}

    public func setActive(_ active: Bool, options: SetActiveOptions = []) throws {
        // Whoever lets go while an engine runs, or does not say so to others, is wrong.
        guard active || (Microphone.it.enginesRun == 0 && options.contains(.notifyOthersOnDeactivation)) else {
            throw CocoaError(.featureUnsupported)
        }
        Microphone.it.isActive = active
    }
}

public final class AVAudioTime {}

public enum AVAudioCommonFormat { case pcmFormatFloat32 }

public final class AVAudioFormat {
    public let sampleRate = Microphone.it.rate
    public let commonFormat = AVAudioCommonFormat.pcmFormatFloat32
    public let isInterleaved = false
}

public final class AVAudioPCMBuffer {
    public let floatChannelData: UnsafePointer<UnsafeMutablePointer<Float>>?
    public let frameLength: UInt32

    init(_ channel: UnsafePointer<UnsafeMutablePointer<Float>>, _ count: Int) {
        (floatChannelData, frameLength) = (channel, UInt32(count))
    }
}

public final class AVAudioInputNode: @unchecked Sendable {
    var tap: ((AVAudioPCMBuffer, AVAudioTime) -> Void)?

    public func outputFormat(forBus: Int) -> AVAudioFormat { AVAudioFormat() }

    public func installTap(
        onBus: Int, bufferSize: UInt32, format: AVAudioFormat?, block: @escaping (AVAudioPCMBuffer, AVAudioTime) -> Void
    ) {
        precondition(tap == nil, "one tap for a bus")
        tap = block
        Microphone.it.tapsInstalled += 1
    }

    public func removeTap(onBus: Int) {
        if tap != nil { Microphone.it.tapsInstalled -= 1 }
        tap = nil
    }
}

extension Notification.Name {
    public static let AVAudioEngineConfigurationChange = Notification.Name("configuration")
}

public final class AVAudioEngine: @unchecked Sendable {
    public static weak var last: AVAudioEngine?
    public let inputNode = AVAudioInputNode()
    private var runs = false

    public init() { AVAudioEngine.last = self }

    public func start() throws {
        if Microphone.it.refusesToStart { throw CocoaError(.featureUnsupported) }
        runs = true
        Microphone.it.enginesRun += 1
        Thread.detachNewThread { [self] in
            let microphone = Microphone.it
            while runs {
                let count = min(320, microphone.samples.count - microphone.at)
                var said = Array(microphone.samples[microphone.at..<microphone.at + count])
                // After the file it is quiet, as after a reading.
                said += Array(repeating: 0.0001, count: 320 - count)
                microphone.at += count
                said.withUnsafeMutableBufferPointer { all in
                    withUnsafePointer(to: all.baseAddress!) { inputNode.tap?(AVAudioPCMBuffer($0, 320), AVAudioTime()) }
                }
                Thread.sleep(forTimeInterval: 0.02)
            }
        }
    }

    public func stop() {
        if runs { Microphone.it.enginesRun -= 1 }
        runs = false
    }
}

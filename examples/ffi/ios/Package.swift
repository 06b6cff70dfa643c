// swift-tools-version:5.9
// A Swift package around the XCFramework that ../README.md tells how to make. It is for iOS alone: macOS has no AVAudioSession.

import PackageDescription

let package = Package(
    name: "Earwitness",
    platforms: [.iOS(.v15)],
    products: [.library(name: "Earwitness", targets: ["Earwitness"])],
    targets: [
        // Made by xcodebuild -create-xcframework from libearwitness_ffi.a of each platform and the generated header.
        .binaryTarget(name: "EarwitnessFFI", path: "EarwitnessFFI.xcframework"),
        // Holds the generated Earwitness.swift beside the sample.
        .target(name: "Earwitness", dependencies: ["EarwitnessFFI"]),
    ]
)

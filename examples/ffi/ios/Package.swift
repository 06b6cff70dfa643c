// swift-tools-version:5.9
// A Swift package around the XCFramework that README.md tells how to make.

import PackageDescription

let package = Package(
    name: "Earwitness",
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [.library(name: "Earwitness", targets: ["Earwitness"])],
    targets: [
        // Made by xcodebuild -create-xcframework from libearwitness_ffi.a of each platform and the generated header.
        .binaryTarget(name: "EarwitnessFFI", path: "EarwitnessFFI.xcframework"),
        // Holds the generated Earwitness.swift and PhoneMicrophone.swift.
        .target(name: "Earwitness", dependencies: ["EarwitnessFFI"]),
    ]
)

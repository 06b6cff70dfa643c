// As the C program, with events polled instead of called back, and handles that free themselves.
//
//   c++ -std=c++17 -I crates/ffi/include examples/ffi/cpp/transcribe.cpp -L target/release -learwitness_ffi -o transcribe
//   LD_LIBRARY_PATH=target/release ./transcribe MODEL_FOLDER RECORDING.wav SPEECH.s16   (raw, 16 bit, mono, 16 kHz)

#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "earwitness.h"

static void check(EwStatus status) {
    if (status != EW_STATUS_OK) throw std::runtime_error(ew_last_error());
}

class Runtime {
public:
    explicit Runtime(const std::string &models) {
        EwOptions options{};
        options.size = sizeof options;
        options.model_folder = models.c_str();
        options.partials = 1;
        check(ew_runtime_open(&options, &handle));
    }
    Runtime(const Runtime &) = delete;
    ~Runtime() { ew_runtime_close(handle, 0); }
    EwRuntime handle = 0;
};

class Session {
public:
    Session(const Runtime &runtime, const std::string &file) {
        check(ew_session_start_file(runtime.handle, file.c_str(), nullptr, nullptr, &handle));
    }
    Session(const Runtime &runtime, uint32_t rate, uint16_t channels) {
        check(ew_session_start(runtime.handle, rate, channels, 1, nullptr, nullptr, &handle));
    }
    Session(const Session &) = delete;
    ~Session() { ew_session_free(handle); }

    // Prints what there is within a time; whether the session goes on.
    bool poll(const std::string &name, uint32_t timeout_ms) {
        const EwEvent *event = nullptr;
        check(ew_session_poll(handle, timeout_ms, &event));
        if (!event) return true;
        if (event->kind == EW_EVENT_KIND_NOTICE) std::cerr << event->text << std::endl;
        if (event->kind == EW_EVENT_KIND_PARTIAL) std::cout << name << " partial " << event->text << std::endl;
        if (event->kind == EW_EVENT_KIND_FINAL) std::cout << name << " final " << event->text << std::endl;
        if (event->kind != EW_EVENT_KIND_ENDED) return true;
        std::cout << name << " ended " << (event->status ? event->text : "well") << std::endl;
        return false;
    }
    EwSession handle = 0;
};

int main(int count, char **arguments) try {
    if (count < 4 || count > 5) {
        std::cerr << "usage: " << arguments[0] << " MODEL_FOLDER RECORDING SPEECH.s16 [CANCEL_AFTER_S]\n";
        return 2;
    }
    Runtime runtime(arguments[1]);
    {
        Session session(runtime, arguments[2]);
        while (session.poll("file", 1000)) {
        }
    }
    const double cancel_after_s = count == 5 ? std::stod(arguments[4]) : 1e9;
    Session session(runtime, 16000, 1);
    std::thread microphone([&] {
        std::ifstream file(arguments[3], std::ios::binary);
        std::vector<int16_t> buffer(320);
        double pushed = 0;
        while (file.read(reinterpret_cast<char *>(buffer.data()), 640) || file.gcount() > 0) {
            if (ew_session_push_i16(session.handle, buffer.data(), file.gcount() / 2, nullptr)) break; // it is over
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            if ((pushed += 0.02) > cancel_after_s) ew_session_cancel(session.handle);
        }
        ew_session_finish(session.handle);
    });
    try {
        while (session.poll("live", 1000)) {
        }
    } catch (...) {
        ew_session_cancel(session.handle);
        microphone.join();
        throw;
    }
    microphone.join();
    return 0;
} catch (const std::exception &error) {
    std::cerr << error.what() << std::endl;
    return 1;
}

// ARC's token class: arc RUN. Prints case, verdict, key origin and algorithm, and what the class logged, separated by tabs.
// Each case is asked in a child of its own; the keys come from the issuer, over HTTPS.

#include <arc/Logger.h>
#include <arc/otokens.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>

namespace {

const char *origin(const Arc::JWSE &token) {
    switch (token.InputKeyOrigin()) {
        case Arc::JWSE::NoKey: return "NoKey";
        case Arc::JWSE::EmbeddedKey: return "EmbeddedKey";
        case Arc::JWSE::ExternalUnsafeKey: return "ExternalUnsafeKey";
        case Arc::JWSE::ExternalSafeKey: return "ExternalSafeKey";
    }
    return "?";
}

// The class logs the token and what is in it as well: those lines are left out.
std::string steps(const std::string &log) {
    std::istringstream lines(log);
    std::string line, out;
    while (std::getline(lines, line)) {
        const size_t at = line.find("JWSE::");
        if (at == std::string::npos || line.find("content:") != std::string::npos || line.find("token:") != std::string::npos ||
            line.find("header:") != std::string::npos)
            continue;
        out += (out.empty() ? "" : " ; ") + line.substr(at, 100);
    }
    return out;
}

void judge(const std::string &name, const std::string &text) {
    std::ostringstream log;
    Arc::LogStream destination(log);
    Arc::Logger::getRootLogger().removeDestinations();
    Arc::Logger::getRootLogger().addDestination(destination);
    Arc::Logger::getRootLogger().setThreshold(Arc::DEBUG);
    Arc::JWSE token;
    const bool valid = token.Input(text);
    Arc::Logger::getRootLogger().removeDestinations();
    std::printf("%s\t%s\t%s %s\t%s\n", name.c_str(), valid ? "accept" : "reject", origin(token), token.SignatureAlgoritm(),
                steps(log.str()).c_str());
    std::fflush(stdout);
}

}  // namespace

int main(int count, char **arguments) {
    if (count < 2) return 2;
    const std::string directory = arguments[1];
    std::string name;
    std::ifstream names(directory + "/names");
    while (std::getline(names, name)) {
        std::ifstream file(directory + "/tokens/" + name + ".jwt", std::ios::binary);
        const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
        const pid_t child = fork();
        if (child == 0) {
            alarm(20);
            judge(name, text);
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        if (WIFSIGNALED(status)) {
            std::printf("%s\t%s\t-\tthe process ended before an answer\n", name.c_str(), WTERMSIG(status) == SIGALRM ? "timeout" : "crash");
            std::fflush(stdout);
        }
    }
    return 0;
}

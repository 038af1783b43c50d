// HTCondor's own judgement of tokens, out of the library that the PyPI wheel brings: htcondor LIBRARY CASE...
// Reads one token a case from TOKENS/CASE.jwt and prints case, "-", verdict, reason, separated by tabs.
// The names declared here are those that the library exports; nothing of its source is needed.

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

class CondorError {
  public:
    CondorError() { init(); }
    ~CondorError();
    void init();
    std::string getFullText(bool want_newline = false) const;

  private:
    // As much room as the class may want.
    void *room[16] = {};
};

namespace htcondor {
bool init_scitokens();
bool validate_scitoken(const std::string &token, std::string &issuer, std::string &subject, long long &expiry,
                       std::vector<std::string> &bounding_set, std::vector<std::string> &groups,
                       std::vector<std::string> &scopes, std::string &jti, int identity, CondorError &error);
}  // namespace htcondor

void config();
const char *param_insert(const char *, const char *);
void config_insert(const char *, const char *);

namespace {

std::string plain(const std::string &text) {
    std::string out;
    for (unsigned char c : text.substr(0, 300)) out += c < 0x20 || c == 0x7f ? ' ' : static_cast<char>(c);
    return out;
}

std::string joined(const std::vector<std::string> &list) {
    std::string out;
    for (const auto &item : list) out += item + ",";
    return out;
}

void judge(const std::string &name, const std::string &token) {
    std::string issuer, subject, jti;
    long long expiry = 0;
    std::vector<std::string> bounding, groups, scopes;
    CondorError error;
    const bool good = htcondor::validate_scitoken(token, issuer, subject, expiry, bounding, groups, scopes, jti, 0, error);
    const std::string reason = good ? "sub=" + subject + " exp=" + std::to_string(expiry) + " bounding=" + joined(bounding) +
                                          " groups=" + joined(groups) + " scopes=" + joined(scopes)
                                    : error.getFullText();
    std::printf("%s\t-\t%s\t%s\n", name.c_str(), good ? "accept" : "reject", plain(reason).c_str());
    std::fflush(stdout);
}

}  // namespace

int main(int count, char **arguments) {
    if (count < 3) return 2;
    const std::string directory = arguments[1];
    config();
    config_insert("SCITOKENS_SERVER_AUDIENCE", arguments[2]);
    htcondor::init_scitokens();
    std::string name;
    std::ifstream names(directory + "/names");
    while (std::getline(names, name)) {
        std::ifstream file(directory + "/tokens/" + name + ".jwt", std::ios::binary);
        const std::string token((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
        const pid_t child = fork();
        if (child == 0) {
            alarm(20);
            judge(name, token);
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        if (WIFSIGNALED(status)) {
            std::printf("%s\t-\t%s\tthe process ended before an answer\n", name.c_str(),
                        WTERMSIG(status) == SIGALRM ? "timeout" : "crash");
            std::fflush(stdout);
        }
    }
    return 0;
}

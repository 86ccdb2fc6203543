// For tests: certificates made on the spot, valid relative to now; and files of them.
#pragma once

#include <memory>
#include <string>

#include "base/file.h"

namespace dkron::net::test {

struct Pair {  // PEM
  std::string certificate;
  std::string key;
};

class Authority {
 public:
  explicit Authority(const std::string& name = "test CA");
  ~Authority();

  std::string pem() const;
  // `alternative` as OpenSSL writes it: "IP:127.0.0.1". Negative seconds: expired.
  Pair issue(const std::string& alternative = "IP:127.0.0.1", long valid_seconds = 3600,
             long serial = 2) const;
  std::string revoke(long serial) const;  // A list of one.

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

Path write_text(const Path& path, const std::string& text);

}  // namespace dkron::net::test

// Tls: certificates of this node and whom it trusts, for both sides of a connection.
//
// Reads PEM files; reload() reads them anew and keeps the old ones when the new ones are not valid.
// Connections under way keep theirs. TLS 1.2 at least. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "base/file.h"

struct ssl_ctx_st;

namespace dkron::net {

class Tls;
using TlsPtr = std::shared_ptr<Tls>;

struct TlsFiles {
  Path certificate;
  Path key;
  Path trusted;                 // CA certificates; needed to verify anybody.
  Path revoked;                 // CRLs of clients; empty: none. All of `trusted` need one then.
  bool verify_clients = false;  // Mutual: clients without a trusted certificate are refused.
};

struct TlsTexts {  // PEM
  std::string certificate;
  std::string key;
  std::string trusted;
};

class Tls {
 public:
  static Result<TlsPtr> open(TlsFiles files);  // InvalidArgument: names the file and what is wrong.
  virtual ~Tls() = default;
  virtual Result<void> reload() = 0;
  virtual TlsTexts texts() const = 0;

  // For net/ only.
  virtual std::shared_ptr<ssl_ctx_st> server_context() const = 0;
  virtual std::shared_ptr<ssl_ctx_st> client_context() const = 0;
};

}  // namespace dkron::net

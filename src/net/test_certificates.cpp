#include "net/test_certificates.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <fstream>

namespace dkron::net::test {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&::EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&::X509_free)>;

template <class Write>
std::string to_pem(const Write& write) {
  std::unique_ptr<BIO, decltype(&::BIO_free)> bio(::BIO_new(::BIO_s_mem()), &::BIO_free);
  EXPECT_EQ(write(bio.get()), 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

}  // namespace

struct Authority::Impl {
  static void extend(X509* certificate, int kind, const std::string& value) {
    X509_EXTENSION* extension = ::X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    ::X509_add_ext(certificate, extension, -1);
    ::X509_EXTENSION_free(extension);
  }

  Certificate make(EVP_PKEY* key, const std::string& name, const std::string& alternative,
                   long valid_seconds, bool is_authority, long serial) const {
    Certificate certificate(::X509_new(), &::X509_free);
    X509* x509 = certificate.get();
    ::X509_set_version(x509, X509_VERSION_3);
    ::ASN1_INTEGER_set(::X509_get_serialNumber(x509), serial);
    ::X509_gmtime_adj(X509_getm_notBefore(x509), -7200);
    ::X509_gmtime_adj(X509_getm_notAfter(x509), valid_seconds);
    ::X509_set_pubkey(x509, key);
    X509_NAME* subject = ::X509_get_subject_name(x509);
    ::X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    ::X509_set_issuer_name(x509,
                           is_authority ? subject : ::X509_get_subject_name(certificate_.get()));
    extend(x509, NID_basic_constraints, is_authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (!alternative.empty()) extend(x509, NID_subject_alt_name, alternative);
    EXPECT_GT(::X509_sign(x509, key_.get(), ::EVP_sha256()), 0);
    return certificate;
  }

  Key key_{EVP_EC_gen("P-256"), &::EVP_PKEY_free};
  Certificate certificate_{nullptr, &::X509_free};
};

Authority::Authority(const std::string& name) : impl_(std::make_unique<Impl>()) {
  impl_->certificate_ = impl_->make(impl_->key_.get(), name, "", 3600, true, 1);
}
Authority::~Authority() = default;

std::string Authority::pem() const {
  return to_pem([&](BIO* bio) { return ::PEM_write_bio_X509(bio, impl_->certificate_.get()); });
}

Pair Authority::issue(const std::string& alternative, long valid_seconds, long serial) const {
  const Key key(EVP_EC_gen("P-256"), &::EVP_PKEY_free);
  const Certificate certificate =
      impl_->make(key.get(), "node", alternative, valid_seconds, false, serial);
  return {to_pem([&](BIO* bio) { return ::PEM_write_bio_X509(bio, certificate.get()); }),
          to_pem([&](BIO* bio) {
            return ::PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr,
                                              nullptr);
          })};
}

std::string Authority::revoke(long serial) const {
  std::unique_ptr<X509_CRL, decltype(&::X509_CRL_free)> list(::X509_CRL_new(), &::X509_CRL_free);
  ::X509_CRL_set_version(list.get(), 1);
  ::X509_CRL_set_issuer_name(list.get(), ::X509_get_subject_name(impl_->certificate_.get()));
  std::unique_ptr<ASN1_TIME, decltype(&::ASN1_TIME_free)> time(::X509_gmtime_adj(nullptr, -60),
                                                               &::ASN1_TIME_free);
  ::X509_CRL_set1_lastUpdate(list.get(), time.get());
  X509_REVOKED* revoked = ::X509_REVOKED_new();
  std::unique_ptr<ASN1_INTEGER, decltype(&::ASN1_INTEGER_free)> number(::ASN1_INTEGER_new(),
                                                                       &::ASN1_INTEGER_free);
  ::ASN1_INTEGER_set(number.get(), serial);
  ::X509_REVOKED_set_serialNumber(revoked, number.get());
  ::X509_REVOKED_set_revocationDate(revoked, time.get());
  ::X509_CRL_add0_revoked(list.get(), revoked);
  ::X509_gmtime_adj(time.get(), 3600);
  ::X509_CRL_set1_nextUpdate(list.get(), time.get());
  EXPECT_GT(::X509_CRL_sign(list.get(), impl_->key_.get(), ::EVP_sha256()), 0);
  return to_pem([&](BIO* bio) { return ::PEM_write_bio_X509_CRL(bio, list.get()); });
}

Path write_text(const Path& path, const std::string& text) {
  std::ofstream(path) << text;
  return path;
}

}  // namespace dkron::net::test

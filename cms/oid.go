package cms

import (
	"encoding/asn1"
	"strconv"
	"strings"
)

// OID is an object identifier in dotted form, "1.2.840.113549.1.7.2".
type OID string

// The content types of RFC 5652, RFC 5083, RFC 3274 and RFC 5035 that this package can name.
const (
	TypeData              OID = "1.2.840.113549.1.7.1"
	TypeSignedData        OID = "1.2.840.113549.1.7.2"
	TypeEnvelopedData     OID = "1.2.840.113549.1.7.3"
	TypeDigestedData      OID = "1.2.840.113549.1.7.5"
	TypeEncryptedData     OID = "1.2.840.113549.1.7.6"
	TypeAuthenticatedData OID = "1.2.840.113549.1.9.16.1.2"
	TypeCompressedData    OID = "1.2.840.113549.1.9.16.1.9"
	TypeAuthEnvelopedData OID = "1.2.840.113549.1.9.16.1.23"
	TypeTSTInfo           OID = "1.2.840.113549.1.9.16.1.4"
	TypeReceipt           OID = "1.2.840.113549.1.9.16.1.1"
)

// Attributes of RFC 5652 11, RFC 8551 2.5 and RFC 6211.
const (
	attrContentType         OID = "1.2.840.113549.1.9.3"
	attrMessageDigest       OID = "1.2.840.113549.1.9.4"
	attrSigningTime         OID = "1.2.840.113549.1.9.5"
	attrCounterSignature    OID = "1.2.840.113549.1.9.6"
	attrCapabilities        OID = "1.2.840.113549.1.9.15"
	attrAlgorithmProtection OID = "1.2.840.113549.1.9.52"
	attrEncryptionKeyPref   OID = "1.2.840.113549.1.9.16.2.11"
	attrMicrosoftKeyPref    OID = "1.3.6.1.4.1.311.16.4"
)

// Digests (RFC 5754, RFC 3370).
const (
	oidMD5    OID = "1.2.840.113549.2.5"
	oidSHA1   OID = "1.3.14.3.2.26"
	oidSHA224 OID = "2.16.840.1.101.3.4.2.4"
	oidSHA256 OID = "2.16.840.1.101.3.4.2.1"
	oidSHA384 OID = "2.16.840.1.101.3.4.2.2"
	oidSHA512 OID = "2.16.840.1.101.3.4.2.3"

	oidSHA3256 OID = "2.16.840.1.101.3.4.2.8" // RFC 9688, with those of their signatures
	oidSHA3384 OID = "2.16.840.1.101.3.4.2.9"
	oidSHA3512 OID = "2.16.840.1.101.3.4.2.10"

	oidECDSASHA3256 OID = "2.16.840.1.101.3.4.3.10"
	oidECDSASHA3384 OID = "2.16.840.1.101.3.4.3.11"
	oidECDSASHA3512 OID = "2.16.840.1.101.3.4.3.12"
	oidSHA3256RSA   OID = "2.16.840.1.101.3.4.3.14"
	oidSHA3384RSA   OID = "2.16.840.1.101.3.4.3.15"
	oidSHA3512RSA   OID = "2.16.840.1.101.3.4.3.16"
)

// Signatures (RFC 3370, RFC 4056, RFC 5754, RFC 5753).
const (
	oidRSA         OID = "1.2.840.113549.1.1.1"
	oidMD5RSA      OID = "1.2.840.113549.1.1.4"
	oidSHA1RSA     OID = "1.2.840.113549.1.1.5"
	oidSHA256RSA   OID = "1.2.840.113549.1.1.11"
	oidSHA384RSA   OID = "1.2.840.113549.1.1.12"
	oidSHA512RSA   OID = "1.2.840.113549.1.1.13"
	oidPSS         OID = "1.2.840.113549.1.1.10"
	oidECPublicKey OID = "1.2.840.10045.2.1"
	oidSHA224RSA   OID = "1.2.840.113549.1.1.14"
	oidECDSASHA1   OID = "1.2.840.10045.4.1"
	oidECDSASHA224 OID = "1.2.840.10045.4.3.1"
	oidECDSASHA256 OID = "1.2.840.10045.4.3.2"
	oidECDSASHA384 OID = "1.2.840.10045.4.3.3"
	oidECDSASHA512 OID = "1.2.840.10045.4.3.4"

	oidEd25519 OID = "1.3.101.112"             // RFC 8419
	oidMLDSA44 OID = "2.16.840.1.101.3.4.3.17" // RFC 9882
	oidMLDSA65 OID = "2.16.840.1.101.3.4.3.18"
	oidMLDSA87 OID = "2.16.840.1.101.3.4.3.19"
)

// Key management (RFC 3560, RFC 5753, RFC 3565) and content encryption (RFC 3565, RFC 5084, RFC 3370).
const (
	oidOAEP       OID = "1.2.840.113549.1.1.7"
	oidMGF1       OID = "1.2.840.113549.1.1.8"
	oidPSpecified OID = "1.2.840.113549.1.1.9"

	oidStdDHSHA1        OID = "1.3.133.16.840.63.0.2"
	oidStdDHSHA256      OID = "1.3.132.1.11.1"
	oidStdDHSHA384      OID = "1.3.132.1.11.2"
	oidStdDHSHA512      OID = "1.3.132.1.11.3"
	oidCofactorDHSHA1   OID = "1.3.133.16.840.63.0.3"
	oidCofactorDHSHA256 OID = "1.3.132.1.14.1"
	oidCofactorDHSHA384 OID = "1.3.132.1.14.2"
	oidCofactorDHSHA512 OID = "1.3.132.1.14.3"
	oidStdDHSHA224      OID = "1.3.132.1.11.0"
	oidCofactorDHSHA224 OID = "1.3.132.1.14.0"
	oidStdDHHKDFSHA256  OID = "1.2.840.113549.1.9.16.3.19" // RFC 8418
	oidStdDHHKDFSHA384  OID = "1.2.840.113549.1.9.16.3.20"
	oidStdDHHKDFSHA512  OID = "1.2.840.113549.1.9.16.3.21"

	oidX25519 OID = "1.3.101.110" // RFC 8410

	oidMLKEM768  OID = "2.16.840.1.101.3.4.4.2" // RFC 9936
	oidMLKEM1024 OID = "2.16.840.1.101.3.4.4.3"

	oidAES128Wrap OID = "2.16.840.1.101.3.4.1.5"
	oidAES192Wrap OID = "2.16.840.1.101.3.4.1.25"
	oidAES256Wrap OID = "2.16.840.1.101.3.4.1.45"

	oidAES128CBC OID = "2.16.840.1.101.3.4.1.2"
	oidAES192CBC OID = "2.16.840.1.101.3.4.1.22"
	oidAES256CBC OID = "2.16.840.1.101.3.4.1.42"
	oidAES128GCM OID = "2.16.840.1.101.3.4.1.6"
	oidAES192GCM OID = "2.16.840.1.101.3.4.1.26"
	oidAES256GCM OID = "2.16.840.1.101.3.4.1.46"
	oidDESEDE3   OID = "1.2.840.113549.3.7"

	oidChaCha20Poly1305 OID = "1.2.840.113549.1.9.16.3.18" // RFC 8103
	oidKEMRecipient     OID = "1.2.840.113549.1.9.16.13.3" // RFC 9629
	oidHKDFSHA256       OID = "1.2.840.113549.1.9.16.3.28" // RFC 8619
	oidHKDFSHA384       OID = "1.2.840.113549.1.9.16.3.29"
	oidHKDFSHA512       OID = "1.2.840.113549.1.9.16.3.30"

	oidPBKDF2     OID = "1.2.840.113549.1.5.12" // RFC 8018
	oidHMACSHA1   OID = "1.2.840.113549.2.7"
	oidHMACSHA224 OID = "1.2.840.113549.2.8"
	oidHMACSHA256 OID = "1.2.840.113549.2.9"
	oidHMACSHA384 OID = "1.2.840.113549.2.10"
	oidHMACSHA512 OID = "1.2.840.113549.2.11"
	oidPWRIKEK    OID = "1.2.840.113549.1.9.16.3.9" // RFC 3211
	oidZlib       OID = "1.2.840.113549.1.9.16.3.8" // RFC 3274

	oidDeriveContentKey OID = "1.2.840.113549.1.9.16.3.31" // RFC 9709
)

// Name returns the name that the field uses for an object identifier, "aes256-GCM" or "signedData", and the dotted form
// where this package knows none.
func (o OID) Name() string {
	if n, ok := oidNames[o]; ok {
		return n
	}
	return string(o)
}

// components returns the numbers of o, or nil if it is malformed.
func (o OID) components() asn1.ObjectIdentifier {
	parts := strings.Split(string(o), ".")
	id := make(asn1.ObjectIdentifier, len(parts))
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			return nil
		}
		id[i] = n
	}
	if len(id) < 2 {
		return nil
	}
	return id
}

// Algorithm is an AlgorithmIdentifier: RFC 5652 10.1.
type Algorithm struct {
	OID OID
	// Parameters is the DER of the parameters; nil if they are absent.
	Parameters []byte
}

// Name is the name of the algorithm's identifier.
func (a Algorithm) Name() string { return a.OID.Name() }

var oidNames = map[OID]string{
	TypeData: "data", TypeSignedData: "signedData", TypeEnvelopedData: "envelopedData", TypeDigestedData: "digestedData",
	TypeEncryptedData: "encryptedData", TypeAuthenticatedData: "authenticatedData", TypeCompressedData: "compressedData",
	TypeAuthEnvelopedData: "authEnvelopedData", TypeTSTInfo: "timeStampToken", TypeReceipt: "receipt",

	attrContentType: "contentType", attrMessageDigest: "messageDigest", attrSigningTime: "signingTime",
	attrCounterSignature: "counterSignature", attrCapabilities: "sMIMECapabilities",
	attrAlgorithmProtection: "cmsAlgorithmProtection", attrEncryptionKeyPref: "encryptionKeyPreference",
	"1.2.840.113549.1.9.16.2.12": "signingCertificate", "1.2.840.113549.1.9.16.2.47": "signingCertificateV2",
	"1.2.840.113549.1.9.16.2.14": "timeStampToken", "1.2.840.113549.1.9.16.2.1": "receiptRequest",
	"1.2.840.113549.1.9.16.2.2": "securityLabel", attrMicrosoftKeyPref: "microsoftEncryptionKeyPreference",

	oidMD5: "md5", oidSHA1: "sha1", oidSHA224: "sha224", oidSHA256: "sha256", oidSHA384: "sha384", oidSHA512: "sha512",
	oidSHA3256: "sha3-256", oidSHA3384: "sha3-384", oidSHA3512: "sha3-512",
	oidECDSASHA3256: "ecdsa-with-SHA3-256", oidECDSASHA3384: "ecdsa-with-SHA3-384", oidECDSASHA3512: "ecdsa-with-SHA3-512",
	oidSHA3256RSA: "sha3-256WithRSAEncryption", oidSHA3384RSA: "sha3-384WithRSAEncryption", oidSHA3512RSA: "sha3-512WithRSAEncryption",
	"2.16.840.1.101.3.4.2.12": "shake256", "1.2.840.113549.2.4": "md4", "1.2.840.113549.2.2": "md2",

	oidRSA: "rsaEncryption", oidMD5RSA: "md5WithRSAEncryption", oidSHA1RSA: "sha1WithRSAEncryption",
	oidSHA224RSA: "sha224WithRSAEncryption", oidSHA256RSA: "sha256WithRSAEncryption",
	oidSHA384RSA: "sha384WithRSAEncryption", oidSHA512RSA: "sha512WithRSAEncryption", oidPSS: "RSASSA-PSS",
	oidECPublicKey: "ecPublicKey", oidECDSASHA1: "ecdsa-with-SHA1", oidECDSASHA224: "ecdsa-with-SHA224",
	oidECDSASHA256: "ecdsa-with-SHA256", oidECDSASHA384: "ecdsa-with-SHA384", oidECDSASHA512: "ecdsa-with-SHA512",
	oidEd25519: "Ed25519", "1.3.101.113": "Ed448", "1.2.840.10040.4.1": "dsa", "1.2.840.10040.4.3": "dsa-with-sha1",
	"2.16.840.1.101.3.4.3.1": "dsa-with-sha224", "2.16.840.1.101.3.4.3.2": "dsa-with-sha256",
	oidMLDSA44: "ML-DSA-44", oidMLDSA65: "ML-DSA-65", oidMLDSA87: "ML-DSA-87",

	oidOAEP: "RSAES-OAEP", oidMGF1: "mgf1", oidPSpecified: "pSpecified",
	oidStdDHSHA1: "dhSinglePass-stdDH-sha1kdf-scheme", oidStdDHSHA256: "dhSinglePass-stdDH-sha256kdf-scheme",
	oidStdDHSHA384: "dhSinglePass-stdDH-sha384kdf-scheme", oidStdDHSHA512: "dhSinglePass-stdDH-sha512kdf-scheme",
	oidCofactorDHSHA1: "dhSinglePass-cofactorDH-sha1kdf-scheme", oidCofactorDHSHA256: "dhSinglePass-cofactorDH-sha256kdf-scheme",
	oidCofactorDHSHA384: "dhSinglePass-cofactorDH-sha384kdf-scheme", oidCofactorDHSHA512: "dhSinglePass-cofactorDH-sha512kdf-scheme",
	"1.2.840.113549.1.9.16.3.5": "ESDH", oidPWRIKEK: "PWRI-KEK", oidZlib: "zlib", oidPBKDF2: "PBKDF2", oidKEMRecipient: "KEMRecipientInfo", oidTripleDESWrap: "3des-wrap",
	oidX25519: "X25519", "1.3.101.111": "X448",
	oidStdDHSHA224: "dhSinglePass-stdDH-sha224kdf-scheme", oidCofactorDHSHA224: "dhSinglePass-cofactorDH-sha224kdf-scheme",
	oidStdDHHKDFSHA256: "dhSinglePass-stdDH-hkdf-sha256-scheme", oidStdDHHKDFSHA384: "dhSinglePass-stdDH-hkdf-sha384-scheme",
	oidStdDHHKDFSHA512:       "dhSinglePass-stdDH-hkdf-sha512-scheme",
	"2.16.840.1.101.3.4.4.1": "ML-KEM-512", oidMLKEM768: "ML-KEM-768", oidMLKEM1024: "ML-KEM-1024",

	oidAES128Wrap: "aes128-wrap", oidAES192Wrap: "aes192-wrap", oidAES256Wrap: "aes256-wrap",
	oidAES128CBC: "aes128-CBC", oidAES192CBC: "aes192-CBC", oidAES256CBC: "aes256-CBC",
	oidAES128GCM: "aes128-GCM", oidAES192GCM: "aes192-GCM", oidAES256GCM: "aes256-GCM", oidDESEDE3: "des-EDE3-CBC",
	oidChaCha20Poly1305: "ChaCha20-Poly1305", oidDeriveContentKey: "cek-hkdf-sha256", "1.2.840.113549.3.2": "rc2-CBC", "1.3.14.3.2.7": "des-CBC",
	"2.16.840.1.101.3.4.1.3": "aes128-OFB", "2.16.840.1.101.3.4.1.4": "aes128-CFB", "2.16.840.1.101.3.4.1.24": "aes192-CFB",
	"2.16.840.1.101.3.4.1.23": "aes192-OFB", "2.16.840.1.101.3.4.1.43": "aes256-OFB", "2.16.840.1.101.3.4.1.44": "aes256-CFB",
}

package smime

import (
	"bufio"
	"bytes"
	"crypto"
	"slices"
	"strings"

	"chancery.example/cms"
)

// form is how an entity carries S/MIME.
type form uint8

const (
	plainContent      form = iota
	detachedSignature      // multipart/signed with a CMS signature: RFC 8551 3.5.3
	wholeCMS               // application/pkcs7-mime: RFC 8551 3.2
)

// formOf tells how an entity carries S/MIME, with the habits of mail programs.
func formOf(h *Header) form {
	ct := h.contentType()
	switch ct.Type {
	case "multipart/signed":
		protocol := strings.ToLower(ct.Params["protocol"])
		if protocol == "" || isSignatureType(protocol) {
			return detachedSignature
		}
		return plainContent // OpenPGP, for one
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
		return wholeCMS
	}
	// QUIRK: Outlook, and gateways that do not know S/MIME, send smime.p7m under any application type (RFC 8551 3.2.2).
	if strings.HasPrefix(ct.Type, "application/") && !isSignatureType(ct.Type) {
		disposition := parseMediaType(h.Get("Content-Disposition"))
		for _, name := range []string{ct.Params["name"], disposition.Params["filename"]} {
			if strings.HasSuffix(strings.ToLower(name), ".p7m") {
				return wholeCMS
			}
		}
	}
	return plainContent
}

func isSignatureType(mime string) bool {
	return mime == "application/pkcs7-signature" || mime == "application/x-pkcs7-signature"
}

// sniff tells the type of a CMS entity without taking anything from it; "" when it cannot be told.
func sniff(h *Header, body *bufio.Reader, limits cms.Limits) cms.OID {
	start, _ := body.Peek(1024)
	if h.encoding() == "base64" { // whole groups of four only, or the end of the sample would be an error
		text := bytes.Map(func(r rune) rune {
			if r == '\n' {
				return -1
			}
			return dropSpace(r)
		}, start)
		start = text[:len(text)&^3]
	}
	raw, err := decodeTransfer(h.encoding(), bytes.NewReader(start))
	if err != nil {
		return ""
	}
	r, err := cms.NewReader(raw, limits)
	if err != nil {
		return ""
	}
	return r.Type()
}

// micalgNames are the names of digests in micalg, without dashes (RFC 8551 3.5.3.2; RFC 9688 names no others).
var micalgNames = map[string]crypto.Hash{
	"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512,
	"sha3256": crypto.SHA3_256, "sha3384": crypto.SHA3_384, "sha3512": crypto.SHA3_512,
}

// micalgHashes are the digests that a multipart/signed announces; nil when it announces one that we do not know, or
// none.
func micalgHashes(micalg string) []crypto.Hash {
	var hashes []crypto.Hash
	for name := range strings.SplitSeq(strings.ToLower(micalg), ",") {
		hash, known := micalgNames[strings.ReplaceAll(strings.TrimSpace(name), "-", "")]
		if !known {
			return nil
		}
		hashes = append(hashes, hash)
	}
	return hashes
}

// anyHashes are the digests to take where a signer may have used another than was announced. SHA-3, which is slow and
// rare, is among them where nothing of SHA-2 was.
func anyHashes(announced []crypto.Hash) []crypto.Hash {
	hashes := []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}
	for _, hash := range announced {
		if slices.Contains(hashes, hash) {
			return hashes
		}
	}
	return append(hashes, crypto.SHA3_256, crypto.SHA3_384, crypto.SHA3_512)
}

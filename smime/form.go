package smime

import (
	"bufio"
	"bytes"
	"crypto"
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

// micalgHashes are the digests that a multipart/signed announces (RFC 8551 3.4.3.2, 3.5.3.2); nil when it announces
// one that we do not know, or none.
func micalgHashes(micalg string) []crypto.Hash {
	var hashes []crypto.Hash
	for name := range strings.SplitSeq(strings.ToLower(micalg), ",") {
		switch strings.ReplaceAll(strings.TrimSpace(name), "-", "") {
		case "sha256":
			hashes = append(hashes, crypto.SHA256)
		case "sha384":
			hashes = append(hashes, crypto.SHA384)
		case "sha512":
			hashes = append(hashes, crypto.SHA512)
		default:
			return nil
		}
	}
	return hashes
}

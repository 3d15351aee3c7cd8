package cli

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"os"

	"chancery.example/fault"
	"chancery.example/trust"
)

// maxFile bounds every file that is read whole: certificates, keys, CRLs and PKCS#12, in octets. A CRL of a million
// entries has some 40 MB. Mails are streams and have no bound here.
const maxFile = 128 << 20

// openInput opens a mail: a file, or standard input for "" and "-".
func (c *Console) openInput(path string) (io.Reader, func(), error) {
	if path == "" || path == "-" {
		return c.Stdin, func() {}, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fileFault(err, path)
	}
	return file, func() { file.Close() }, nil
}

// readFile reads a small file whole.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fileFault(err, path)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fileFault(err, path)
	}
	if len(data) > maxFile {
		return nil, fault.New(fault.TooLarge, "cli.file-too-large", "%s is larger than %d MiB; it cannot be what is wanted here", path, maxFile>>20)
	}
	return data, nil
}

// fileFault says what to do about a file that cannot be read.
func fileFault(err error, path string) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.Wrap(err, fault.NotFound, "cli.no-file", "there is no file %s", path)
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(err, fault.Denied, "cli.file-permission", "you may not read %s", path)
	}
	return fault.Wrap(err, fault.Invalid, "cli.file", "%s cannot be read: %v", path, err)
}

// readCertificates reads all certificates of a PEM file, or the one of a DER file.
func readCertificates(path string) ([]*x509.Certificate, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for _, der := range blocks(data, "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE") {
		// A TRUSTED CERTIFICATE (OpenSSL) has its trust settings behind the certificate; they are not ours.
		cert, err := trust.ParseCertificate(firstElement(der))
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "cli.certificate", "%s holds a certificate that cannot be read: %s", path, fault.Sentence(err))
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, fault.New(fault.Invalid, "cli.no-certificate", "%s holds no certificate in PEM or DER", path)
	}
	return certs, nil
}

// readAllCertificates is readCertificates of several files.
func readAllCertificates(paths []string) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for _, path := range paths {
		certs, err := readCertificates(path)
		if err != nil {
			return nil, err
		}
		all = append(all, certs...)
	}
	return all, nil
}

// readCRLs reads revocation lists in PEM or DER.
func readCRLs(paths []string) ([]*trust.CRL, error) {
	var all []*trust.CRL
	for _, path := range paths {
		data, err := readFile(path)
		if err != nil {
			return nil, err
		}
		found := blocks(data, "X509 CRL")
		for _, der := range found {
			crl, err := trust.ParseCRL(der)
			if err != nil {
				return nil, fault.Wrap(err, fault.Invalid, "cli.crl", "%s is no CRL that can be read: %s", path, fault.Sentence(err))
			}
			all = append(all, crl)
		}
		if len(found) == 0 {
			return nil, fault.New(fault.Invalid, "cli.no-crl", "%s holds no CRL in PEM or DER", path)
		}
	}
	return all, nil
}

// isDER tells DER from text: everything that we read is a SEQUENCE, whose length takes several octets or is short.
func isDER(data []byte) bool { return len(data) > 1 && data[0] == 0x30 && !isPEM(data) }

func isPEM(data []byte) bool {
	return bytes.Contains(data[:min(len(data), 64<<10)], []byte("-----BEGIN "))
}

// blocks are the contents of the PEM blocks of these types, or the DER that the data is.
func blocks(data []byte, types ...string) [][]byte {
	if isDER(data) {
		return [][]byte{data}
	}
	var found [][]byte
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return found
		}
		for _, kind := range types {
			if block.Type == kind {
				found = append(found, block.Bytes)
			}
		}
	}
}

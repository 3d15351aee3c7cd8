package pkcs12

import (
	"crypto/ecdsa"
	"encoding/pem"
	"os/exec"
	"testing"

	"chancery.example/fault"
)

func TestDecryptKeyOpensWhatOpenSSLEncrypts(t *testing.T) {
	clear, err := exec.Command("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name, extra := range map[string][]string{"PBES2 with AES": {"-v2", "aes-256-cbc"}, "PBES1 with 3DES": {"-v1", "PBE-SHA1-3DES"}} {
		t.Run(name, func(t *testing.T) {
			command := exec.Command("openssl", append([]string{"pkcs8", "-topk8", "-passout", "pass:correct horse"}, extra...)...)
			stdin, err := command.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			go func() { stdin.Write(clear); stdin.Close() }()
			text, err := command.Output()
			if err != nil {
				t.Fatal(err)
			}
			block, _ := pem.Decode(text)
			key, err := DecryptKey(block.Bytes, "correct horse", Limits{})
			if _, isECDSA := key.(*ecdsa.PrivateKey); !isECDSA {
				t.Errorf("key %T, error %v", key, err)
			}
			if _, err := DecryptKey(block.Bytes, "wrong", Limits{}); fault.CodeOf(err) != "pkcs12.wrong-password" {
				t.Errorf("a wrong password gave %v", err)
			}
			if _, err := DecryptKey(block.Bytes[:40], "correct horse", Limits{}); fault.CodeOf(err) != "pkcs12.damaged" {
				t.Errorf("half a key gave %v", err)
			}
			if _, err := DecryptKey(block.Bytes, "correct horse", Limits{Iterations: 10}); fault.CodeOf(err) != "pkcs12.limit" {
				t.Errorf("too many rounds gave %v", err)
			}
		})
	}
}

// Bouncy Castle as a peer: one command a line on standard input, one answer a line on standard output.
//
//   sign   ALGORITHM CERTIFICATE KEY IN OUT        check IN OUT
//   seal   TRANSPORT CIPHER CERTIFICATE IN OUT     open CERTIFICATE KEY IN OUT
//
// All files are DER. The answer is "ok", or "no" and why.
import java.io.*;
import java.nio.file.*;
import java.security.*;
import java.security.cert.*;
import java.security.interfaces.*;
import java.security.spec.*;
import java.util.*;
import javax.crypto.spec.*;
import org.bouncycastle.asn1.*;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.*;
import org.bouncycastle.cms.*;
import org.bouncycastle.cms.jcajce.*;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.*;
import org.bouncycastle.operator.jcajce.*;

public class Interop {
    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            try {
                run(line.split(" "));
                System.out.println("ok");
            } catch (Throwable e) {
                Throwable cause = e;
                while (cause.getCause() != null) cause = cause.getCause();
                System.out.println("no " + (e + " / " + cause).replace('\n', ' '));
            }
            System.out.flush();
        }
    }

    static void run(String[] a) throws Exception {
        switch (a[0]) {
            case "sign": write(a[5], sign(a[1], certificate(a[2]), key(a[3]), read(a[4]))); break;
            case "check": write(a[2], check(read(a[1]))); break;
            case "seal": write(a[5], seal(a[1], a[2], certificate(a[3]), read(a[4]))); break;
            case "open": write(a[4], open(certificate(a[1]), key(a[2]), read(a[3]))); break;
            default: throw new IllegalArgumentException("no command " + a[0]);
        }
    }

    static byte[] sign(String algorithm, X509Certificate cert, PrivateKey key, byte[] content) throws Exception {
        CMSSignedDataGenerator g = new CMSSignedDataGenerator();
        ContentSigner signer = new JcaContentSignerBuilder(algorithm).setProvider("BC").build(key);
        g.addSignerInfoGenerator(new JcaSignerInfoGeneratorBuilder(new JcaDigestCalculatorProviderBuilder().setProvider("BC").build()).build(signer, cert));
        g.addCertificate(new JcaX509CertificateHolder(cert));
        return g.generate(new CMSProcessableByteArray(content), true).getEncoded();
    }

    @SuppressWarnings("unchecked")
    static byte[] check(byte[] message) throws Exception {
        CMSSignedData data = new CMSSignedData(message);
        for (SignerInformation signer : data.getSignerInfos().getSigners()) {
            Iterator<X509CertificateHolder> found = data.getCertificates().getMatches(signer.getSID()).iterator();
            if (!signer.verify(new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(found.next())))
                throw new SignatureException("the signature does not hold");
        }
        return (byte[]) data.getSignedContent().getContent();
    }

    static RecipientInfoGenerator recipient(String transport, X509Certificate cert) throws Exception {
        switch (transport) {
            case "v1.5":
                return new JceKeyTransRecipientInfoGenerator(cert).setProvider("BC");
            case "agree": {
                PublicKey own = cert.getPublicKey();
                KeyPairGenerator g;
                ASN1ObjectIdentifier scheme = CMSAlgorithm.ECDH_SHA256KDF;
                if (own instanceof ECPublicKey) {
                    g = KeyPairGenerator.getInstance("EC", "BC");
                    g.initialize(((ECPublicKey) own).getParams());
                } else {
                    g = KeyPairGenerator.getInstance("X25519", "BC");
                    scheme = new ASN1ObjectIdentifier("1.2.840.113549.1.9.16.3.19");
                }
                KeyPair pair = g.generateKeyPair();
                return new JceKeyAgreeRecipientInfoGenerator(scheme, pair.getPrivate(), pair.getPublic(), CMSAlgorithm.AES256_WRAP).addRecipient(cert).setProvider("BC");
            }
            default:
                AlgorithmIdentifier oaep = new JcaAlgorithmParametersConverter().getAlgorithmIdentifier(
                    org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers.id_RSAES_OAEP,
                    new OAEPParameterSpec(transport, "MGF1", new MGF1ParameterSpec(transport), PSource.PSpecified.DEFAULT));
                return new JceKeyTransRecipientInfoGenerator(cert, oaep).setProvider("BC");
        }
    }

    static byte[] seal(String transport, String cipher, X509Certificate cert, byte[] content) throws Exception {
        ASN1ObjectIdentifier id = (ASN1ObjectIdentifier) CMSAlgorithm.class.getField(cipher).get(null);
        OutputEncryptor encryptor = new JceCMSContentEncryptorBuilder(id).setProvider("BC").build();
        if (cipher.endsWith("GCM")) {
            CMSAuthEnvelopedDataGenerator g = new CMSAuthEnvelopedDataGenerator();
            g.addRecipientInfoGenerator(recipient(transport, cert));
            return g.generate(new CMSProcessableByteArray(content), (OutputAEADEncryptor) encryptor).getEncoded();
        }
        CMSEnvelopedDataGenerator g = new CMSEnvelopedDataGenerator();
        g.addRecipientInfoGenerator(recipient(transport, cert));
        return g.generate(new CMSProcessableByteArray(content), encryptor).getEncoded();
    }

    static byte[] open(X509Certificate cert, PrivateKey key, byte[] message) throws Exception {
        ASN1ObjectIdentifier type = org.bouncycastle.asn1.cms.ContentInfo.getInstance(message).getContentType();
        boolean authenticated = type.equals(org.bouncycastle.asn1.cms.CMSObjectIdentifiers.authEnvelopedData);
        RecipientInformationStore all = authenticated ? new CMSAuthEnvelopedData(message).getRecipientInfos() : new CMSEnvelopedData(message).getRecipientInfos();
        RecipientInformation one = all.getRecipients().iterator().next();
        Recipient how;
        if (!(key instanceof RSAPrivateKey)) how = new JceKeyAgreeEnvelopedRecipient(key).setProvider("BC");
        else if (authenticated) how = new JceKeyTransAuthEnvelopedRecipient(key).setProvider("BC");
        else how = new JceKeyTransEnvelopedRecipient(key).setProvider("BC");
        return one.getContent(how);
    }

    static X509Certificate certificate(String file) throws Exception {
        return (X509Certificate) CertificateFactory.getInstance("X.509", "BC").generateCertificate(new ByteArrayInputStream(read(file)));
    }

    static PrivateKey key(String file) throws Exception {
        byte[] der = read(file);
        return BouncyCastleProvider.getPrivateKey(org.bouncycastle.asn1.pkcs.PrivateKeyInfo.getInstance(der));
    }

    static byte[] read(String file) throws IOException { return Files.readAllBytes(Paths.get(file)); }

    static void write(String file, byte[] data) throws IOException { Files.write(Paths.get(file), data); }
}

// Makes certificates of every kind, and says what crypto/tls thinks of them. Takes commands on
// standard input, one a line, and answers each with one line of JSON on standard output.
//
//	make SPEC      a certificate and its key, in files of the folder given as argument
//	judge SPEC     a handshake of crypto/tls with itself: does the other side take this chain?
//	serve SPEC     listens for one handshake; says where
//	served         what came of it
//	dial SPEC      one handshake as a client; what came of it
package main

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

var folder string

type makeSpec struct {
	Name, Issuer string // no issuer: signed by itself
	CN           []string
	DNS, IPs     []string
	Usages       []string // server, client, any, code
	KeyUsage     []string
	CA           *bool // basicConstraints; nil: none
	PathLength   *int
	Curve        string
	RSA          int
	Signature    string
	From, To     int // days from now
	Critical     string
	KeyOf        string // take the key of this certificate
	Permitted    []string
	Excluded     []string
	PermittedIPs []string
	NoKeyID      bool
	IssuerKeyID  string
}

type chainSpec struct {
	CA, Chain []string
	Usage     string // server: the chain is shown by a server
	Host      string
	Max       uint16
	Address   string
}

var curves = map[string]elliptic.Curve{
	"": elliptic.P256(), "P-224": elliptic.P224(), "P-256": elliptic.P256(),
	"P-384": elliptic.P384(), "P-521": elliptic.P521(),
}
var usages = map[string]x509.ExtKeyUsage{
	"server": x509.ExtKeyUsageServerAuth, "client": x509.ExtKeyUsageClientAuth,
	"any": x509.ExtKeyUsageAny, "code": x509.ExtKeyUsageCodeSigning,
}
var keyUsages = map[string]x509.KeyUsage{
	"digitalSignature": x509.KeyUsageDigitalSignature, "keyEncipherment": x509.KeyUsageKeyEncipherment,
	"keyCertSign": x509.KeyUsageCertSign, "cRLSign": x509.KeyUsageCRLSign,
}
var signatures = map[string]x509.SignatureAlgorithm{
	"ECDSA-SHA1": x509.ECDSAWithSHA1, "SHA1-RSA": x509.SHA1WithRSA, "ECDSA-SHA512": x509.ECDSAWithSHA512,
	"SHA256-RSAPSS": x509.SHA256WithRSAPSS, "SHA512-RSAPSS": x509.SHA512WithRSAPSS,
}

func say(value any) {
	line, _ := json.Marshal(value)
	fmt.Println(string(line))
}

func sayError(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	say(map[string]any{"error": text})
}

func path(name, end string) string { return filepath.Join(folder, name+end) }

func read(name, end string) ([]byte, error) {
	data, err := os.ReadFile(path(name, end))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("no PEM in %s", name)
	}
	return block.Bytes, nil
}

func readKey(name string) (crypto.Signer, error) {
	der, err := read(name, ".key")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	return key.(crypto.Signer), nil
}

func newKey(spec makeSpec) (crypto.Signer, error) {
	if spec.KeyOf != "" {
		return readKey(spec.KeyOf)
	}
	if spec.RSA > 0 {
		return rsa.GenerateKey(rand.Reader, spec.RSA)
	}
	return ecdsa.GenerateKey(curves[spec.Curve], rand.Reader)
}

func template(spec makeSpec) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		return nil, err
	}
	day := 24 * time.Hour
	to := spec.To
	if to == 0 {
		to = 365
	}
	made := &x509.Certificate{
		SerialNumber: serial, DNSNames: spec.DNS, PermittedDNSDomains: spec.Permitted,
		ExcludedDNSDomains: spec.Excluded, SignatureAlgorithm: signatures[spec.Signature],
		NotBefore: time.Now().Add(time.Duration(spec.From)*day - time.Hour),
		NotAfter:  time.Now().Add(time.Duration(to) * day),
	}
	for _, one := range spec.CN {
		made.Subject.ExtraNames = append(made.Subject.ExtraNames,
			pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: one})
	}
	for _, one := range spec.IPs {
		made.IPAddresses = append(made.IPAddresses, net.ParseIP(one))
	}
	for _, one := range spec.Usages {
		made.ExtKeyUsage = append(made.ExtKeyUsage, usages[one])
	}
	for _, one := range spec.KeyUsage {
		made.KeyUsage |= keyUsages[one]
	}
	for _, one := range spec.PermittedIPs {
		_, network, err := net.ParseCIDR(one)
		if err != nil {
			return nil, err
		}
		made.PermittedIPRanges = append(made.PermittedIPRanges, network)
	}
	made.PermittedDNSDomainsCritical = true
	if spec.CA != nil {
		made.BasicConstraintsValid, made.IsCA = true, *spec.CA
	}
	made.MaxPathLen = -1
	if spec.PathLength != nil {
		made.MaxPathLen, made.MaxPathLenZero = *spec.PathLength, *spec.PathLength == 0
	}
	if spec.Critical != "" {
		var id asn1.ObjectIdentifier
		for _, part := range strings.Split(spec.Critical, ".") {
			var arc int
			fmt.Sscan(part, &arc)
			id = append(id, arc)
		}
		made.ExtraExtensions = []pkix.Extension{{Id: id, Critical: true, Value: []byte{5, 0}}}
	}
	return made, nil
}

func makeCertificate(spec makeSpec) error {
	made, err := template(spec)
	if err != nil {
		return err
	}
	key, err := newKey(spec)
	if err != nil {
		return err
	}
	issuer, signer := made, key
	if spec.Issuer != "" {
		der, err := read(spec.Issuer, ".pem")
		if err != nil {
			return err
		}
		if issuer, err = x509.ParseCertificate(der); err != nil {
			return err
		}
		if spec.NoKeyID {
			issuer.SubjectKeyId = nil
		}
		// Who may sign is for those to say who verify.
		if signer, err = readKey(spec.Issuer); err != nil {
			return err
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, made, issuer, key.Public(), signer)
	if err != nil {
		return err
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(path(spec.Name, ".pem"), certificate, 0o600); err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	return os.WriteFile(path(spec.Name, ".key"), block, 0o600)
}

func identity(spec chainSpec) (tls.Certificate, *x509.CertPool, error) {
	pool := x509.NewCertPool()
	for _, name := range spec.CA {
		data, err := os.ReadFile(path(name, ".pem"))
		if err != nil {
			return tls.Certificate{}, nil, err
		}
		pool.AppendCertsFromPEM(data)
	}
	if len(spec.Chain) == 0 {
		return tls.Certificate{}, pool, nil
	}
	var chain []byte
	for _, name := range spec.Chain {
		data, err := os.ReadFile(path(name, ".pem"))
		if err != nil {
			return tls.Certificate{}, nil, err
		}
		chain = append(chain, data...)
	}
	key, err := os.ReadFile(path(spec.Chain[0], ".key"))
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pair, err := tls.X509KeyPair(chain, key)
	return pair, pool, err
}

func serverConfig(pair tls.Certificate, pool *x509.CertPool, max uint16) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: pool, MaxVersion: max,
		ClientAuth: tls.RequireAndVerifyClientCert,
	}
}

func clientConfig(pair tls.Certificate, pool *x509.CertPool, spec chainSpec) *tls.Config {
	config := &tls.Config{RootCAs: pool, ServerName: spec.Host, MaxVersion: spec.Max}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &pair, nil
	}
	if spec.Host == "" {
		// As Nomad without verify_server_hostname: the chain counts, no name does.
		config.InsecureSkipVerify = true
		config.VerifyConnection = func(state tls.ConnectionState) error {
			options := x509.VerifyOptions{Roots: pool, Intermediates: x509.NewCertPool()}
			for _, one := range state.PeerCertificates[1:] {
				options.Intermediates.AddCert(one)
			}
			_, err := state.PeerCertificates[0].Verify(options)
			return err
		}
	}
	return config
}

// trustful has a certificate that the other side takes, and takes everything.
func trustful() (tls.Certificate, error) {
	return tls.LoadX509KeyPair(path("trustful", ".pem"), path("trustful", ".key"))
}

func judge(spec chainSpec) error {
	pair, pool, err := identity(spec)
	if err != nil {
		return err
	}
	other, err := trustful()
	if err != nil {
		return err
	}
	near, far, err := connected()
	if err != nil {
		return err
	}
	defer near.Close()
	defer far.Close()
	deadline := time.Now().Add(5 * time.Second)
	near.SetDeadline(deadline)
	far.SetDeadline(deadline)
	var server, client *tls.Conn
	if spec.Usage == "server" {
		server = tls.Server(near, &tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: spec.Max})
		client = tls.Client(far, clientConfig(other, pool, spec))
	} else {
		server = tls.Server(near, serverConfig(other, pool, spec.Max))
		config := &tls.Config{InsecureSkipVerify: true, MaxVersion: spec.Max}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &pair, nil
		}
		client = tls.Client(far, config)
	}
	done := make(chan error, 1)
	go func() {
		err := server.Handshake()
		if err != nil {
			near.Close()
		}
		done <- err
	}()
	clientErr := client.Handshake()
	if clientErr != nil {
		far.Close()
	}
	serverErr := <-done
	if spec.Usage == "server" {
		return clientErr
	}
	return serverErr
}

// connected is the two ends of one connection.
func connected() (net.Conn, net.Conn, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer listener.Close()
	near, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	far, err := listener.Accept()
	return near, far, err
}

var results = make(chan error, 1)

func serve(spec chainSpec) error {
	pair, pool, err := identity(spec)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		conn, err := listener.Accept()
		listener.Close()
		if err == nil {
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(5 * time.Second))
			secured := tls.Server(conn, serverConfig(pair, pool, spec.Max))
			if err = secured.Handshake(); err == nil {
				_, err = secured.Write([]byte{42})
				secured.Read(make([]byte, 1))
			}
		}
		results <- err
	}()
	say(map[string]any{"port": listener.Addr().(*net.TCPAddr).Port})
	return nil
}

func dial(spec chainSpec) error {
	pair, pool, err := identity(spec)
	if err != nil {
		return err
	}
	conn, err := net.DialTimeout("tcp", spec.Address, 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	secured := tls.Client(conn, clientConfig(pair, pool, spec))
	if err := secured.Handshake(); err != nil {
		return err
	}
	// In TLS 1.3 the server judges after our side of the handshake is done.
	_, err = secured.Read(make([]byte, 1))
	return err
}

func main() {
	folder = os.Args[1]
	say("ready")
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		command, text, _ := strings.Cut(lines.Text(), " ")
		var made makeSpec
		var chain chainSpec
		target := any(&chain)
		if command == "make" {
			target = &made
		}
		if text != "" {
			if err := json.Unmarshal([]byte(text), target); err != nil {
				sayError(err)
				continue
			}
		}
		switch command {
		case "make":
			sayError(makeCertificate(made))
		case "judge":
			sayError(judge(chain))
		case "serve":
			if err := serve(chain); err != nil {
				sayError(err)
			}
		case "served":
			sayError(<-results)
		case "dial":
			sayError(dial(chain))
		}
	}
}

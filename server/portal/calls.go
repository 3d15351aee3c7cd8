package portal

import (
	"encoding/json"
	"net/url"
	"strings"

	"chancery.example/ra/order"
)

// The API calls that pages show; server/api answers them.

// get is how a page's content is read by program.
func (p *Portal) get(what, path, command string) call {
	return call{What: what, HTTP: "curl -H \"Authorization: Bearer $TOKEN\" \\\n  '" + p.House().Origin + path + "'", Command: command}
}

// post is how what a page does is done by program.
func (p *Portal) post(what, path string, body map[string]string, command string) call {
	data, err := json.MarshalIndent(body, "", "  ")
	if err != nil { // strings always marshal
		data = []byte("{}")
	}
	return call{What: what, Command: command, HTTP: "curl -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \\\n  '" + p.House().Origin + path +
		"' -d '" + strings.ReplaceAll(string(data), "'", `'\''`) + "'"}
}

// word is an argument of a command line, quoted where a shell would take it apart.
func word(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@._+-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func (p *Portal) orderCalls(d orderData) []call {
	to := d.Address
	if to == "" {
		to = "alice@example.com"
	}
	return []call{p.post("call.order", "/api/v1/orders", map[string]string{"mailbox": to, "language": d.Language,
		"agreement": d.Agreement.Version, "agreement_sha256": d.Agreement.SHA256}, "chancery order create --agreement "+d.Agreement.Version+" --language "+d.Language+" "+word(to))}
}

func (p *Portal) statusCalls(o order.Order) []call {
	return []call{p.get("call.order.read", "/api/v1/orders/"+string(o.ID), "chancery order show "+string(o.ID))}
}

func (p *Portal) revokeCalls(serial string) []call {
	return []call{p.post("call.revoke", "/api/v1/certificates/"+serial+"/revoke", map[string]string{"reason": "superseded"}, "chancery cert revoke --reason superseded "+serial)}
}

func (p *Portal) renewCalls(serial, version, sha256 string) []call {
	return []call{p.post("call.renew", "/api/v1/certificates/"+serial+"/renew", map[string]string{"agreement": version, "agreement_sha256": sha256}, "")}
}

// listCalls read a table with its filter.
func (p *Portal) listCalls(what, path, command string, l listing) []call {
	q := url.Values{}
	if l.Q != "" {
		q.Set("text", l.Q)
		command += " " + word(l.Q)
	}
	if l.State != "" {
		q.Set("state", l.State)
		if strings.HasPrefix(command, "chancery order") {
			command += " --state " + word(l.State)
		}
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	if !strings.HasPrefix(command, "chancery") {
		command = ""
	}
	return []call{p.get(what, path, command)}
}

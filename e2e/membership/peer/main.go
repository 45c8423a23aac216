// Command peer is one member of the real hashicorp/memberlist, configured as a MetalLB speaker
// configures it, for tests beside ours. It prints what it sees as JSON lines and takes orders on
// standard input: "send NAME TEXT" (a stream), "packet NAME TEXT", "meta TEXT". SIGTERM leaves.
// With -answer it plays the speaker too: it answers ARP for the addresses that the election gives it.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

var out sync.Mutex

func say(fields map[string]any) {
	out.Lock()
	defer out.Unlock()
	line, _ := json.Marshal(fields)
	os.Stdout.Write(append(line, '\n'))
}

// peer is every delegate at once.
type peer struct {
	mu   sync.Mutex
	meta []byte
	// speaker is nil where only the gossip is played.
	speaker *speaker
}

func (p *peer) NodeMeta(int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.meta
}
func (p *peer) NotifyMsg(b []byte)              { say(map[string]any{"event": "message", "text": string(b)}) }
func (p *peer) GetBroadcasts(int, int) [][]byte { return nil }
func (p *peer) LocalState(bool) []byte          { return []byte("state of " + string(p.NodeMeta(512))) }
func (p *peer) MergeRemoteState(b []byte, _ bool) {
	say(map[string]any{"event": "state", "text": string(b)})
}
func (p *peer) NotifyJoin(n *memberlist.Node)   { p.node("joined", n) }
func (p *peer) NotifyLeave(n *memberlist.Node)  { p.node("left", n) }
func (p *peer) NotifyUpdate(n *memberlist.Node) { p.node("changed", n) }
func (p *peer) node(event string, n *memberlist.Node) {
	if p.speaker != nil {
		p.speaker.see(n.Name, event != "left")
	}
	say(map[string]any{"event": event, "name": n.Name, "address": n.Addr.String(), "port": n.Port,
		"meta": string(n.Meta), "left": n.State == memberlist.StateLeft})
}

func main() {
	name := flag.String("name", "", "node name")
	bind := flag.String("bind", "", "own address")
	join := flag.String("join", "", "addresses, separated by commas")
	secret := flag.String("secret", "", "secret text, empty = no encryption")
	meta := flag.String("meta", "", "node metadata")
	port := flag.Int("port", 7946, "port of the membership")
	http := flag.String("http", "", "address and port that are taken, as by a page of metrics")
	answer := flag.String("answer", "", "IPv4 addresses to elect over, separated by commas")
	link := flag.String("interface", "eth0", "where to answer")
	slow := flag.Duration("slow", 0, "time from an event of the membership to the election")
	linger := flag.Duration("linger", 0, "time for which it goes on answering when it has left")
	flag.Parse()
	p := &peer{meta: []byte(*meta)}
	if *http != "" {
		if _, err := net.Listen("tcp", *http); err != nil {
			say(map[string]any{"event": "failed", "text": err.Error()})
			os.Exit(1)
		}
	}
	if *answer != "" {
		p.speaker = openSpeaker(*name, *link, strings.Split(*answer, ","), *slow)
	}
	config := memberlist.DefaultLANConfig()
	config.Name, config.BindAddr, config.Delegate, config.Events = *name, *bind, p, p
	config.BindPort, config.AdvertisePort = *port, *port
	config.LogOutput = io.Discard
	if *secret != "" {
		config.SecretKey = sha256.New().Sum([]byte(*secret))[:32]
	}
	list, err := memberlist.Create(config)
	if err != nil {
		say(map[string]any{"event": "failed", "text": err.Error()})
		os.Exit(1)
	}
	if *join != "" {
		count, err := list.Join(strings.Split(*join, ","))
		say(map[string]any{"event": "join", "count": count, "failed": err != nil})
	}
	if p.speaker != nil {
		p.speaker.start()
	}
	say(map[string]any{"event": "ready", "name": *name})
	go obey(list, p)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	<-signals
	list.Leave(time.Second)
	time.Sleep(*linger)
	list.Shutdown()
}

func obey(list *memberlist.Memberlist, p *peer) {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		words := append(strings.SplitN(lines.Text(), " ", 3), "", "")
		if words[0] == "meta" {
			p.mu.Lock()
			p.meta = []byte(words[1])
			p.mu.Unlock()
			list.UpdateNode(time.Second)
		}
		for _, node := range list.Members() {
			if node.Name != words[1] {
				continue
			}
			switch words[0] {
			case "send":
				list.SendReliable(node, []byte(words[2]))
			case "packet":
				list.SendBestEffort(node, []byte(words[2]))
			}
		}
	}
}

package main

import (
	"bytes"
	"crypto/sha256"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// speaker answers as MetalLB's does: the member whose SHA-256 of NAME#ADDRESS is the least owns an
// address, every event of the membership is a new election, nobody is asked, nothing is sent when an
// address is given up, and it answers until the process has ended.
type speaker struct {
	name      string
	link      *net.Interface
	socket    int
	addresses []string
	slow      time.Duration

	mu      sync.Mutex
	started bool
	members map[string]bool
	// owned until when each address is announced
	owned map[string]time.Time
}

const (
	etherTypeArp  = 0x0806
	roundInterval = 1100 * time.Millisecond
	activeFor     = 5 * time.Second
)

func openSpeaker(name, link string, addresses []string, slow time.Duration) *speaker {
	found, err := net.InterfaceByName(link)
	if err != nil {
		fail(err)
	}
	network := uint16(etherTypeArp>>8 | etherTypeArp&0xff<<8)
	socket, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW, int(network))
	if err != nil {
		fail(err)
	}
	to := &syscall.SockaddrLinklayer{Protocol: network, Ifindex: found.Index}
	if err := syscall.Bind(socket, to); err != nil {
		fail(err)
	}
	return &speaker{name: name, link: found, socket: socket, addresses: addresses, slow: slow,
		members: map[string]bool{name: true}, owned: map[string]time.Time{}}
}

func fail(err error) {
	say(map[string]any{"event": "failed", "text": err.Error()})
	os.Exit(1)
}

// start begins to answer, once the ring has been joined.
func (s *speaker) start() {
	s.mu.Lock()
	s.started = true
	s.mu.Unlock()
	s.elect()
	go s.answer()
	go func() {
		for range time.Tick(roundInterval) {
			s.round(s.active())
		}
	}()
}

// see takes in an event of the membership. When it leaves itself, nobody elects any more.
func (s *speaker) see(name string, alive bool) {
	if name == s.name {
		return
	}
	s.mu.Lock()
	if alive {
		s.members[name] = true
	} else {
		delete(s.members, name)
	}
	s.mu.Unlock()
	time.AfterFunc(s.slow, s.elect)
}

func (s *speaker) elect() {
	s.mu.Lock()
	if !s.started {
		s.mu.Unlock()
		return
	}
	var fresh []string
	for _, address := range s.addresses {
		until, had := s.owned[address]
		if s.winner(address) != s.name {
			delete(s.owned, address)
			continue
		}
		if !had || time.Now().After(until) {
			fresh = append(fresh, address)
		}
		s.owned[address] = time.Now().Add(activeFor)
	}
	s.mu.Unlock()
	s.round(fresh)
}

func (s *speaker) winner(address string) string {
	var first string
	var least [sha256.Size]byte
	for name := range s.members {
		sum := sha256.Sum256([]byte(name + "#" + address))
		if first == "" || bytes.Compare(sum[:], least[:]) < 0 {
			first, least = name, sum
		}
	}
	return first
}

// active lists the addresses that are announced now.
func (s *speaker) active() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var active []string
	for address, until := range s.owned {
		if time.Now().Before(until) {
			active = append(active, address)
		}
	}
	return active
}

// round announces once: a request and a reply.
func (s *speaker) round(addresses []string) {
	all := net.HardwareAddr{255, 255, 255, 255, 255, 255}
	for _, address := range addresses {
		own := net.ParseIP(address).To4()
		for _, operation := range []byte{1, 2} {
			s.send(s.frame(operation, own, all, own))
		}
	}
}

func (s *speaker) answer() {
	buffer := make([]byte, 2048)
	for {
		n, _, err := syscall.Recvfrom(s.socket, buffer, 0)
		if err != nil || n < 42 || buffer[20] != 0 || buffer[21] != 1 {
			continue
		}
		target := net.IP(buffer[38:42])
		s.mu.Lock()
		_, is := s.owned[target.String()]
		s.mu.Unlock()
		from := net.HardwareAddr(buffer[22:28])
		if is && !bytes.Equal(from, s.link.HardwareAddr) {
			s.send(s.frame(2, target, from, net.IP(buffer[28:32])))
		}
	}
}

func (s *speaker) frame(operation byte, sender net.IP, toMac net.HardwareAddr, to net.IP) []byte {
	frame := make([]byte, 0, 60)
	frame = append(append(frame, toMac...), s.link.HardwareAddr...)
	frame = append(frame, etherTypeArp>>8, etherTypeArp&0xff, 0, 1, 8, 0, 6, 4, 0, operation)
	frame = append(append(frame, s.link.HardwareAddr...), sender...)
	frame = append(append(frame, toMac...), to...)
	return frame[:60]
}

func (s *speaker) send(frame []byte) {
	syscall.Sendto(s.socket, frame, 0, &syscall.SockaddrLinklayer{Ifindex: s.link.Index, Halen: 6})
}

// Command argo compares objects as Argo CD does, with its own engine. It reads a JSON list of
// {"desired": object, "live": object} on standard input, and prints one JSON line for each that differs:
// what there is, and what a sync would make of it. With -kubectl it asks the API server for the latter
// (Argo CD's server-side diff), else it works it out from what was applied last, as Argo CD does by default.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type pair struct {
	Desired map[string]any `json:"desired"`
	Live    map[string]any `json:"live"`
}

// dryRunner applies on the server, but for keeping it.
type dryRunner struct {
	kubectl, kubeconfig string
}

func (d dryRunner) Run(ctx context.Context, object *unstructured.Unstructured, manager string) (string, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, d.kubectl, "--kubeconfig", d.kubeconfig, "apply", "--server-side",
		"--force-conflicts", "--dry-run=server", "--field-manager", manager, "-o", "json", "-f", "-")
	command.Stdin = bytes.NewReader(text)
	command.Stderr = os.Stderr
	said, err := command.Output()
	return string(said), err
}

func main() {
	kubectl := flag.String("kubectl", "", "path of kubectl; empty = the server is not asked")
	kubeconfig := flag.String("kubeconfig", "", "where the API server is")
	flag.Parse()
	var pairs []pair
	if err := json.NewDecoder(os.Stdin).Decode(&pairs); err != nil {
		fail(err)
	}
	options := []diff.Option{diff.WithManager("argocd-controller"), diff.WithIgnoreMutationWebhook(false)}
	if *kubectl != "" {
		options = append(options, diff.WithServerSideDiff(true),
			diff.WithServerSideDryRunner(dryRunner{*kubectl, *kubeconfig}))
	}
	for _, each := range pairs {
		desired := &unstructured.Unstructured{Object: each.Desired}
		live := &unstructured.Unstructured{Object: each.Live}
		found, err := diff.Diff(desired, live, options...)
		if err != nil {
			fail(err)
		}
		if found.Modified {
			line, _ := json.Marshal(map[string]any{
				"object": desired.GetKind() + " " + desired.GetName(),
				"live":   json.RawMessage(found.NormalizedLive), "predicted": json.RawMessage(found.PredictedLive),
			})
			fmt.Println(string(line))
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

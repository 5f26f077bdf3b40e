#!/usr/bin/env python3
"""patch.py TREE: small changes to the Kubernetes 1.20 source, for use as a mesh test bed.
1. Built with Go >= 1.18 this source misbehaves twice: CRD defaults and values that are "" are
   refused (a vendored check compares reflect.Value internals; now for nil only), and a vendored
   reflect2 iterates maps with the calling convention of older Go (apiserver crashes on custom
   resources; now with the present one).
2. kubelet asks for a Docker socket five times, one second apart, at start: do not wait.
3. discovery.k8s.io/v1 EndpointSlice is served, as later releases do (stored as v1beta1).
4. namespaces get the kubernetes.io/metadata.name label, as later releases do.
Every edit must match, or this fails."""
import os, re, shutil, sys
os.chdir(sys.argv[1])

def edit(path, *subs):
    s = open(path).read()
    for old, new in subs:
        if old not in s: sys.exit("%s: %r not found" % (path, old[:60]))
        s = s.replace(old, new, 1)
    open(path, "w").write(s)

for d in ("vendor/github.com/go-openapi/validate", "staging/src/k8s.io/kube-openapi/pkg/validation/validate", "vendor/k8s.io/kube-openapi/pkg/validation/validate"):
    if os.path.isdir(d) and not os.path.islink(os.path.dirname(d)):
        edit(d + "/type.go", ("if data == nil || reflect.DeepEqual(reflect.Zero(reflect.TypeOf(data)), reflect.ValueOf(data)) {", "if data == nil {"))
# reflect2 1.0.1 calls the runtime's map iteration as Go < 1.18 had it: wrong arguments, and too small a struct
edit("vendor/github.com/modern-go/reflect2/unsafe_link.go",
     ("func mapiterinit(rtype unsafe.Pointer, m unsafe.Pointer) *hiter", "func mapiterinit(rtype unsafe.Pointer, m unsafe.Pointer, it *hiter)"),
     ("\t// rest fields are ignored\n", "\tptrs  [6]unsafe.Pointer // the rest only has to have the size, and pointers where the runtime has them\n\tnums  [4]uintptr\n"))
edit("vendor/github.com/modern-go/reflect2/unsafe_map.go",
     ("\treturn &UnsafeMapIterator{\n\t\thiter:      mapiterinit(type2.rtype, *(*unsafe.Pointer)(obj)),\n",
      "\tit := new(hiter)\n\tmapiterinit(type2.rtype, *(*unsafe.Pointer)(obj), it)\n\treturn &UnsafeMapIterator{\n\t\thiter:      it,\n"))
edit("vendor/github.com/google/cadvisor/container/docker/factory.go",
     ("rootDirRetryPeriod time.Duration = 1000 * time.Millisecond", "rootDirRetryPeriod time.Duration = time.Millisecond"))

# ---- discovery.k8s.io/v1 ----
A, B = "staging/src/k8s.io/api/discovery/v1beta1", "staging/src/k8s.io/api/discovery/v1"
if not os.path.isdir(B):
    os.mkdir(B)
    for f in ("doc.go", "register.go", "types.go", "well_known_labels.go", "generated.pb.go", "zz_generated.deepcopy.go"):
        s = open(A + "/" + f).read().replace("v1beta1", "v1")
        s = re.sub(r"// \+k8s:prerelease-lifecycle-gen.*\n", "", s)
        if f == "types.go":
            a = '\tTopology map[string]string `json:"topology,omitempty" protobuf:"bytes,5,opt,name=topology"`'
            assert a in s
            s = s.replace(a, '\tDeprecatedTopology map[string]string `json:"deprecatedTopology,omitempty" protobuf:"bytes,5,opt,name=deprecatedTopology"`')
            line = '\tNodeName *string `json:"nodeName,omitempty" protobuf:"bytes,6,opt,name=nodeName"`\n'
            assert line in s
            s = s.replace(line, line + '\t// zone is the name of the zone of this endpoint.\n\t// +optional\n\tZone *string `json:"zone,omitempty" protobuf:"bytes,7,opt,name=zone"`\n')
        if f in ("generated.pb.go", "zz_generated.deepcopy.go"):
            s = re.sub(r"\b(m|this|in|out)\.Topology\b", r"\1.DeprecatedTopology", s).replace("`Topology:`", "`DeprecatedTopology:`")
        if f == "generated.pb.go":
            m = re.search(r"\tif m\.NodeName != nil \{\n\t\ti -= len\(\*m\.NodeName\)\n.*?\n\t\}\n", s, re.S)      # marshal, back to front
            s = s[:m.start()] + m.group(0).replace("NodeName", "Zone").replace("0x32", "0x3a") + s[m.start():]
            m = re.search(r"\tif m\.NodeName != nil \{\n\t\tl = len\(\*m\.NodeName\)\n.*?\n\t\}\n", s, re.S)       # size
            s = s[:m.end()] + m.group(0).replace("NodeName", "Zone") + s[m.end():]
            i = s.index("for field NodeName")
            a = s.rindex("\t\tcase 6:\n", 0, i); e = s.index("\t\tdefault:\n", i)                                  # unmarshal
            s = s[:e] + s[a:e].replace("case 6:", "case 7:").replace("NodeName", "Zone") + s[e:]
            s = s.replace("`NodeName:` + valueToStringGenerated(this.NodeName) + `,`,", "`NodeName:` + valueToStringGenerated(this.NodeName) + `,`,\n\t\t`Zone:` + valueToStringGenerated(this.Zone) + `,`,", 1)
        if f == "zz_generated.deepcopy.go":
            blk = "\tif in.NodeName != nil {\n\t\tin, out := &in.NodeName, &out.NodeName\n\t\t*out = new(string)\n\t\t**out = **in\n\t}\n"
            assert blk in s
            s = s.replace(blk, blk + blk.replace("NodeName", "Zone"), 1)
        open(B + "/" + f, "w").write(s)
A, B = "pkg/apis/discovery/v1beta1", "pkg/apis/discovery/v1"
if not os.path.isdir(B):
    os.mkdir(B)
    for f in ("doc.go", "register.go", "defaults.go"):
        s = open(A + "/" + f).read().replace("discoveryv1beta1", "discoveryv1").replace("v1beta1", "v1")
        s = s.replace('v1 "k8s.io/api/core/v1"', 'corev1 "k8s.io/api/core/v1"').replace("= v1.ProtocolTCP", "= corev1.ProtocolTCP")
        open(B + "/" + f, "w").write(s)
    open(B + "/conversion.go", "w").write('''package v1

import (
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/kubernetes/pkg/apis/discovery"
)

const (
	hostKey = "kubernetes.io/hostname"
	zoneKey = "topology.kubernetes.io/zone"
)

// Convert_v1_Endpoint_To_discovery_Endpoint keeps nodeName and zone in the internal topology map.
func Convert_v1_Endpoint_To_discovery_Endpoint(in *discoveryv1.Endpoint, out *discovery.Endpoint, s conversion.Scope) error {
	if err := autoConvert_v1_Endpoint_To_discovery_Endpoint(in, out, s); err != nil {
		return err
	}
	if in.NodeName == nil && in.Zone == nil {
		out.Topology = in.DeprecatedTopology
		return nil
	}
	t := map[string]string{}
	for k, v := range in.DeprecatedTopology {
		t[k] = v
	}
	if in.NodeName != nil {
		t[hostKey] = *in.NodeName
	}
	if in.Zone != nil {
		t[zoneKey] = *in.Zone
	}
	out.Topology = t
	return nil
}

// Convert_discovery_Endpoint_To_v1_Endpoint takes nodeName and zone out of the internal topology map.
func Convert_discovery_Endpoint_To_v1_Endpoint(in *discovery.Endpoint, out *discoveryv1.Endpoint, s conversion.Scope) error {
	if err := autoConvert_discovery_Endpoint_To_v1_Endpoint(in, out, s); err != nil {
		return err
	}
	var rest map[string]string
	for k, v := range in.Topology {
		v := v
		switch k {
		case hostKey:
			if out.NodeName == nil {
				out.NodeName = &v
			}
		case zoneKey:
			out.Zone = &v
		default:
			if rest == nil {
				rest = map[string]string{}
			}
			rest[k] = v
		}
	}
	out.DeprecatedTopology = rest
	return nil
}
''')
    edit("pkg/apis/discovery/install/install.go",
         ('\t"k8s.io/kubernetes/pkg/apis/discovery/v1alpha1"\n', '\tv1 "k8s.io/kubernetes/pkg/apis/discovery/v1"\n\t"k8s.io/kubernetes/pkg/apis/discovery/v1alpha1"\n'),
         ("\tutilruntime.Must(v1alpha1.AddToScheme(scheme))\n", "\tutilruntime.Must(v1alpha1.AddToScheme(scheme))\n\tutilruntime.Must(v1.AddToScheme(scheme))\n"),
         ("SetVersionPriority(v1beta1.SchemeGroupVersion, ", "SetVersionPriority(v1beta1.SchemeGroupVersion, v1.SchemeGroupVersion, "))
    edit("pkg/registry/discovery/rest/storage_discovery.go",
         ('\tdiscoveryv1alpha1 "k8s.io/api/discovery/v1alpha1"\n', '\tdiscoveryv1 "k8s.io/api/discovery/v1"\n\tdiscoveryv1alpha1 "k8s.io/api/discovery/v1alpha1"\n'),
         ("\treturn apiGroupInfo, true, nil\n", '''	if apiResourceConfigSource.VersionEnabled(discoveryv1.SchemeGroupVersion) {
		storageMap, err := p.v1beta1Storage(apiResourceConfigSource, restOptionsGetter)
		if err != nil {
			return genericapiserver.APIGroupInfo{}, false, err
		}
		apiGroupInfo.VersionedResourcesStorageMap[discoveryv1.SchemeGroupVersion.Version] = storageMap
	}

	return apiGroupInfo, true, nil
'''))
    edit("pkg/controlplane/instance.go",
         ('\tdiscoveryv1beta1 "k8s.io/api/discovery/v1beta1"\n', '\tdiscoveryv1 "k8s.io/api/discovery/v1"\n\tdiscoveryv1beta1 "k8s.io/api/discovery/v1beta1"\n'),
         ("\t\tdiscoveryv1beta1.SchemeGroupVersion,\n", "\t\tdiscoveryv1.SchemeGroupVersion,\n\t\tdiscoveryv1beta1.SchemeGroupVersion,\n"))
    edit("cmd/kube-apiserver/app/aggregator.go",
         ('\t{Group: "discovery.k8s.io", Version: "v1beta1"}:', '\t{Group: "discovery.k8s.io", Version: "v1"}: {group: 16200, version: 15},\n\t{Group: "discovery.k8s.io", Version: "v1beta1"}:'))
    edit("pkg/apis/core/v1/defaults.go",
         ("func SetDefaults_NamespaceStatus(", '''func SetDefaults_Namespace(obj *v1.Namespace) {
	if obj.Name == "" {
		return
	}
	if obj.Labels == nil {
		obj.Labels = map[string]string{}
	}
	obj.Labels["kubernetes.io/metadata.name"] = obj.Name
}

func SetDefaults_NamespaceStatus('''))
print("patched")

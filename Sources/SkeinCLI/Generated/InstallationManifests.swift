// swift-format-ignore-file
// Made from manifests/ by scripts/embed.sh; a test compares.

/// The objects of an installation, in the order in which they are made.
let installationManifests: [(file: String, text: String)] = [
("base/namespace.yaml", #"""
apiVersion: v1
kind: Namespace
metadata:
  name: skein-system
  labels:
    # What carries the mesh is not in it.
    istio.io/dataplane-mode: none
    # node-agent is privileged, and ztunnel has capabilities: docs/install.md says which and why.
    pod-security.kubernetes.io/enforce: privileged

"""#),
("base/control-plane-rights.yaml", #"""
# Each right and its reason: docs/kubernetes.md.
apiVersion: v1
kind: ServiceAccount
metadata:
  name: control-plane
  namespace: skein-system
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: skein-control-plane
rules:
  - apiGroups: [""]
    resources: [namespaces, nodes, services, serviceaccounts]
    verbs: [list, watch]
  # An agent's own pod may be newer than the mesh.
  - apiGroups: [""]
    resources: [pods]
    verbs: [get, list, watch]
  - apiGroups: [discovery.k8s.io]
    resources: [endpointslices]
    verbs: [list, watch]
  - apiGroups: [security.istio.io]
    resources: [authorizationpolicies, peerauthentications]
    verbs: [list, watch]
  - apiGroups: [networking.istio.io]
    resources: [serviceentries, workloadentries]
    verbs: [list, watch]
  - apiGroups: [gateway.networking.k8s.io]
    resources: [gateways]
    verbs: [list, watch]
  - apiGroups: [authentication.k8s.io]
    resources: [tokenreviews]
    verbs: [create]
  # The root in every namespace.
  - apiGroups: [""]
    resources: [configmaps]
    verbs: [create]
  - apiGroups: [""]
    resources: [configmaps]
    resourceNames: [skein-ca-root-cert]
    verbs: [list, watch, patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: skein-control-plane
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: skein-control-plane
subjects:
  - kind: ServiceAccount
    name: control-plane
    namespace: skein-system
---
# The authority's Secret and the Lease, in our own namespace.
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: control-plane
  namespace: skein-system
rules:
  - apiGroups: [""]
    resources: [secrets]
    verbs: [create]
  - apiGroups: [""]
    resources: [secrets]
    resourceNames: [skein-ca]
    verbs: [get, list, watch]
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    verbs: [create]
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    resourceNames: [skein-control-plane]
    verbs: [get, update, patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: control-plane
  namespace: skein-system
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: control-plane
subjects:
  - kind: ServiceAccount
    name: control-plane
    namespace: skein-system

"""#),
("base/control-plane.yaml", #"""
apiVersion: v1
kind: Service
metadata:
  name: control-plane
  namespace: skein-system
  labels: {app.kubernetes.io/name: control-plane, app.kubernetes.io/part-of: skein}
spec:
  selector: {app.kubernetes.io/name: control-plane}
  ports:
    # The protocol is a part of the key, which servers before 1.22 do not fill in when they apply.
    - {name: grpc-xds, port: 15012, targetPort: grpc-xds, protocol: TCP}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: control-plane
  namespace: skein-system
  labels: {app.kubernetes.io/name: control-plane, app.kubernetes.io/part-of: skein}
spec:
  replicas: 2
  selector:
    matchLabels: {app.kubernetes.io/name: control-plane}
  strategy:
    rollingUpdate: {maxUnavailable: 1, maxSurge: 1}
  template:
    metadata:
      labels: {app.kubernetes.io/name: control-plane, app.kubernetes.io/part-of: skein}
    spec:
      serviceAccountName: control-plane
      priorityClassName: system-cluster-critical
      terminationGracePeriodSeconds: 15
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - weight: 100
              podAffinityTerm:
                topologyKey: kubernetes.io/hostname
                labelSelector:
                  matchLabels: {app.kubernetes.io/name: control-plane}
      containers:
        - name: control-plane
          image: skein
          imagePullPolicy: IfNotPresent
          command: [/usr/bin/control-plane]
          args:
            - run
            - --kubernetes
            - --ca-secret=skein-system/skein-ca
            - --server-name=control-plane.skein-system.svc
            - --node-account=skein-system/node-agent
            - --metrics-address=0.0.0.0:15020
            - --log-format=json
          ports:
            - {name: grpc-xds, containerPort: 15012, protocol: TCP}
            - {name: metrics, containerPort: 15020, protocol: TCP}
          readinessProbe:
            httpGet: {path: /healthz, port: metrics}
            periodSeconds: 2
          livenessProbe:
            tcpSocket: {port: metrics}
            periodSeconds: 10
            failureThreshold: 6
          resources:
            # Measured with 1 000 services and 2 000 pods: docs/kubernetes.md.
            requests: {cpu: 100m, memory: 128Mi}
            limits: {memory: 1Gi}
          securityContext:
            runAsUser: 65532
            runAsGroup: 65532
            runAsNonRoot: true
            readOnlyRootFilesystem: true
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL]}
            seccompProfile: {type: RuntimeDefault}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
      volumes:
        - name: tmp
          emptyDir: {}

"""#),
("base/node-agent-rights.yaml", #"""
# Each right and its reason: docs/kubernetes.md.
apiVersion: v1
kind: ServiceAccount
metadata:
  name: node-agent
  namespace: skein-system
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: skein-node-agent
rules:
  - apiGroups: [""]
    resources: [namespaces, pods]
    verbs: [list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: skein-node-agent
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: skein-node-agent
subjects:
  - kind: ServiceAccount
    name: node-agent
    namespace: skein-system
---
# At its end it asks whether another follows, or the mesh is taken away.
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: node-agent
  namespace: skein-system
rules:
  - apiGroups: [apps]
    resources: [daemonsets]
    resourceNames: [node-agent]
    verbs: [get]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: node-agent
  namespace: skein-system
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: node-agent
subjects:
  - kind: ServiceAccount
    name: node-agent
    namespace: skein-system

"""#),
("base/node-agent.yaml", #"""
# node-agent and ztunnel on every node; which container may do what, and why: docs/install.md.
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: node-agent
  namespace: skein-system
  labels: {app.kubernetes.io/name: node-agent, app.kubernetes.io/part-of: skein}
spec:
  selector:
    matchLabels: {app.kubernetes.io/name: node-agent}
  updateStrategy:
    rollingUpdate: {maxUnavailable: 1}
  template:
    metadata:
      labels: {app.kubernetes.io/name: node-agent, app.kubernetes.io/part-of: skein}
    spec:
      serviceAccountName: node-agent
      priorityClassName: system-node-critical
      # In the node's own namespaces: it looks into those of the pods.
      hostNetwork: true
      hostPID: true
      dnsPolicy: ClusterFirstWithHostNet
      terminationGracePeriodSeconds: 35
      nodeSelector: {kubernetes.io/os: linux}
      tolerations:
        - operator: Exists
      containers:
        - name: node-agent
          image: skein
          imagePullPolicy: IfNotPresent
          command: [/usr/bin/node-agent]
          args:
            - run
            - --kubernetes
            - --state-dir=/run/skein/node
            - --external-ztunnel
            - --at-exit=keep
            - --daemon-set=skein-system/node-agent
            - --probe-process=kubelet
            # Where the container runtime has its networks; other distributions have other places.
            - --cni-conf-dir=/etc/cni/net.d
            - --cni-bin-dir=/opt/cni/bin
            - --xds-address=control-plane.skein-system.svc:15012
            - --root-cert=/run/secrets/skein/root-cert.pem
            - --token-file=/run/secrets/tokens/istio-token
            - --metrics-address=$(INSTANCE_IP):15020
            - --log-format=json
          env:
            - {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
            - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
            - {name: SERVICE_ACCOUNT, valueFrom: {fieldRef: {fieldPath: spec.serviceAccountName}}}
            - {name: INSTANCE_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
          readinessProbe:
            exec: {command: [/usr/bin/node-agent, status, --ready, --state-dir, /run/skein/node]}
            periodSeconds: 3
            timeoutSeconds: 5
          resources:
            requests: {cpu: 20m, memory: 48Mi}
            limits: {memory: 512Mi}
          securityContext:
            privileged: true
            readOnlyRootFilesystem: true
          volumeMounts:
            - {name: state, mountPath: /run/skein}
            - {name: bpf, mountPath: /sys/fs/bpf}
            - {name: cgroup, mountPath: /sys/fs/cgroup}
            - {name: netns, mountPath: /run/netns, mountPropagation: HostToContainer}
            - {name: cni-networks, mountPath: /etc/cni/net.d}
            - {name: cni-plugins, mountPath: /opt/cni/bin}
            - {name: root, mountPath: /run/secrets/skein, readOnly: true}
            - {name: token, mountPath: /run/secrets/tokens, readOnly: true}
        - name: ztunnel
          image: skein
          imagePullPolicy: IfNotPresent
          command: [/usr/bin/ztunnel]
          args: [--agent, /run/skein/node/agent.sock]
          resources:
            requests: {cpu: 50m, memory: 32Mi}
            limits: {memory: 1Gi}
          securityContext:
            runAsUser: 0
            privileged: false
            readOnlyRootFilesystem: true
            allowPrivilegeEscalation: false
            capabilities:
              drop: [ALL]
              # To make sockets in the pods' network namespaces, and with their clients' addresses.
              add: [SYS_ADMIN, NET_ADMIN, NET_RAW]
          volumeMounts:
            - {name: state, mountPath: /run/skein, readOnly: true}
      volumes:
        - name: state
          hostPath: {path: /run/skein, type: DirectoryOrCreate}
        - name: bpf
          hostPath: {path: /sys/fs/bpf, type: Directory}
        - name: cgroup
          hostPath: {path: /sys/fs/cgroup, type: Directory}
        - name: netns
          hostPath: {path: /run/netns, type: DirectoryOrCreate}
        - name: cni-networks
          hostPath: {path: /etc/cni/net.d, type: DirectoryOrCreate}
        - name: cni-plugins
          hostPath: {path: /opt/cni/bin, type: DirectoryOrCreate}
        - name: root
          configMap: {name: skein-ca-root-cert}
        - name: token
          projected:
            sources:
              - serviceAccountToken: {path: istio-token, audience: istio-ca, expirationSeconds: 43200}

"""#),
("pod-disruption-budget.yaml", #"""
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: control-plane
  namespace: skein-system
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {app.kubernetes.io/name: control-plane}

"""#),
]

/** Describes what an image holds as an SPDX 2.3 document: one package a row, each contained in it. */

/** One thing in the image that somebody released under a version. */
export interface Component {
  readonly name: string
  readonly version: string
  /** SPDX expression, or undefined where only the licence's text is known. */
  readonly license: string | undefined
  /** Package URL: https://github.com/package-url/purl-spec */
  readonly purl: string
  /** As package-lock.json has it: `sha512-` and base64. */
  readonly integrity?: string | undefined
}

export interface Contents {
  /** The program itself: what contains all the others. */
  readonly program: Component
  readonly components: readonly Component[]
  /** RFC 3339; the commit's time, so that the same commit gives the same document. */
  readonly created: string
}

/** The document as a value; its text is `JSON.stringify`. */
export function describeContents({ program, components, created }: Contents): object {
  const rows = [program, ...components]
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${program.name}-${program.version}`,
    documentNamespace: `https://arpeggio.io/spdx/${program.name}-${program.version}-${created}`,
    creationInfo: { created, creators: ['Tool: arpeggio-hack-sbom'] },
    packages: rows.map((row, n) => describePackage(row, n)),
    relationships: rows.map((_, n) => ({
      spdxElementId: n === 0 ? 'SPDXRef-DOCUMENT' : identify(0),
      relationshipType: n === 0 ? 'DESCRIBES' : 'CONTAINS',
      relatedSpdxElement: identify(n),
    })),
  }
}

function identify(n: number): string {
  return `SPDXRef-Package-${n}`
}

function describePackage({ name, version, license, purl, integrity }: Component, n: number): object {
  const digest = integrity?.startsWith('sha512-') === true
    ? Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex')
    : undefined
  return {
    SPDXID: identify(n),
    name,
    versionInfo: version,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: license ?? 'NOASSERTION',
    copyrightText: 'NOASSERTION',
    ...(digest === undefined ? {} : { checksums: [{ algorithm: 'SHA512', checksumValue: digest }] }),
    externalRefs: [{
      referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl,
    }],
  }
}
